"""An installation's rows on top of the product's map: what they replace, how they are numbered, what they touch."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verbs.installed import checked, differing, key, overlay, read_rows, spellings, versions
from verbs.read import read
from verbs.tables import Row, load

VENDOR = "https://vendor.example/verbs/finished"
HEADER = "verb_iri,provider,activity_type,canonical,completion_event\n"


def row(verb: str = VENDOR, provider: str = "", kind: str = "", canonical: str = "completed", event: str = "yes") -> Row:
    return Row(verb, provider, kind, canonical, event, "installation", "")


def said(verb: str, provider: str, *rows: Row) -> str:
    return read({"verb": {"id": verb}, "object": {"id": "x:1"}}, provider, overlay(load(), rows, 1)).verb


def test_without_rows_the_map_is_the_product_s() -> None:
    assert overlay(load(), (), 0).rows == load().rows
    assert overlay(load(), (), 0).version == load().version


def test_a_row_adds_and_a_row_of_the_same_key_replaces() -> None:
    assert said(VENDOR, "") == "unmapped"
    assert said(VENDOR, "", row()) == "completed"
    passed = "http://adlnet.gov/expapi/verbs/passed"
    assert said(passed, "", row(passed, canonical="failed")) == "failed"
    assert said(passed, "sim", row(passed, "sim", canonical="failed")) == "failed"
    assert said(passed, "other", row(passed, "sim", canonical="failed")) == "passed"
    assert said("https://www.adlnet.gov/expapi/verbs/passed/", "", row(passed, canonical="failed")) == "failed"


def test_a_row_that_this_product_does_not_know_is_left_out_and_reading_goes_on() -> None:
    table = overlay(load(), [row(canonical="gone"), row("x:1")], 2)
    assert len(table.rows) == len(load().rows) + 1


@given(st.integers(0, 10**9), st.integers(1, 999))
def test_a_map_version_names_both_and_rises_with_either(installation: int, product: int) -> None:
    version = installation * 1000 + product
    assert versions(version) == (product, installation)
    assert version < installation * 1000 + product + 1 <= (installation + 1) * 1000 + product


@given(st.data())
def test_every_spelling_that_folds_to_a_row_is_among_its_spellings(data: st.DataObject) -> None:
    table = load()
    iri = data.draw(st.sampled_from([one.verb_iri for one in table.rows]))
    sent = iri
    for undo in data.draw(st.permutations([
        lambda text: text.replace("http://adlnet.gov/", data.draw(st.sampled_from(
            ["https://adlnet.gov/", "http://www.adlnet.gov/", "https://www.adlnet.gov/", "http://adlnet.gov/"]))),
        lambda text: text + data.draw(st.sampled_from(["", "/"])),
        lambda text: text + data.draw(st.sampled_from(["", ".html"])),
        lambda text: text.replace("activitystrea.ms/", data.draw(st.sampled_from(
            ["activitystrea.ms/", "activitystrea.ms/schema/1.0/"])), 1),
        lambda text: text.replace("http://adlnet.gov/expapi/verbs/", data.draw(st.sampled_from(["", "http://adlnet.gov/expapi/verbs/"]))),
    ])):
        sent = undo(sent)
    # found by the row: as sent, or folded
    if sent == iri or table.fold(sent) == iri:
        assert sent in spellings(table, iri)


def test_spellings_that_fold_to_another_row_are_not_among_them() -> None:
    table = load()
    for one in table.rows:
        assert all(other == one.verb_iri or table.fold(other) == one.verb_iri for other in spellings(table, one.verb_iri))
    assert len(spellings(table, "http://adlnet.gov/expapi/verbs/passed")) == 18


def test_what_differs_is_the_verbs_of_changed_rows_not_of_changed_notes() -> None:
    old, new = overlay(load(), [row(), row("x:1")], 1), overlay(load(), [row(canonical="passed"), row("x:1"), row("x:2", "sim")], 2)
    assert differing(old, new) == {VENDOR, "x:2"}
    noted = overlay(load(), [Row(VENDOR, "", "", "completed", "yes", "installation", "why")], 3)
    assert differing(overlay(load(), [row()], 2), noted) == frozenset()


def test_a_csv_is_read_and_a_dash_takes_a_row_away() -> None:
    text = HEADER + f"{VENDOR},,,completed,yes\n\n x:2 ,sim,x:kind,passed,yes\nx:3,,,-,\n"
    rows, gone, faults = read_rows(text.splitlines(keepends=True))
    assert [key(one) for one in rows] == [(VENDOR, "", ""), ("x:2", "sim", "x:kind")]
    assert (gone, faults) == ([("x:3", "", "")], [])


def test_every_fault_of_a_csv_is_named_by_line_and_column() -> None:
    text = HEADER + (f"finished,,,completed,yes\n{VENDOR},,kind,done,maybe\n{VENDOR},,,completed,yes\n{VENDOR},,,passed,yes\n"
                     "x:1,,,completed,yes,more\n")
    _, _, faults = read_rows(text.splitlines(keepends=True))
    assert [(one.row, one.column) for one in faults] == [(2, "verb_iri"), (3, "activity_type"), (3, "canonical"), (3, "completion_event"),
                                                        (5, "verb_iri"), (6, "")]
    assert all(one.why for one in faults)


@pytest.mark.parametrize(("text", "why"), [
    ("verb,canonical\n", 'no column "verb_iri"'), ("verb_iri\n", 'no column "canonical"'), ("verb_iri,canonical,colour\n", '"colour"'),
    ("", 'no column "verb_iri"'), (HEADER + '"never closed\n', "no CSV")])
def test_what_is_no_such_csv_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_rows(text.splitlines(keepends=True))


CELLS = st.dictionaries(st.sampled_from(["verb_iri", "provider", "canonical", "completion_event", "note", "x"]),
                        st.one_of(st.text(), st.none(), st.integers(), st.sampled_from([VENDOR, "completed", "yes", "-"])))


@given(st.lists(CELLS))
def test_whatever_the_cells_each_row_is_taken_or_has_its_fault(found: list[dict[str, object]]) -> None:
    rows, gone, faults = checked(enumerate(found, 1))
    empty = sum(not any(value.strip() if isinstance(value, str) else value is not None for value in cells.values()) for cells in found)
    assert len(rows) + len(gone) + len({one.row for one in faults}) + empty == len(found)
    assert len(overlay(load(), rows, 1).rows) == len(load().rows) + len(rows)
