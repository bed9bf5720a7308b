"""Every row of the verb map is reached by a statement, and the map keeps its own rules."""
from __future__ import annotations

import hashlib
from importlib.resources import files

import pytest

from verbs.read import read
from verbs.tables import CANONICAL, BadTable, Row, load, parse

TABLE = load()
ROWS = 197
SCORM = {"contextActivities": {"category": [{"id": "https://w3id.org/xapi/scorm"}]}}


def statement_for(row: Row) -> tuple[dict[str, object], str]:
    """The smallest statement, and the credential's provider, that this row is there for."""
    definition = {"type": row.activity_type} if row.activity_type else {}
    statement: dict[str, object] = {
        "actor": {"mbox": "mailto:ana@acme.example"},
        "verb": {"id": row.verb_iri},
        "object": {"id": "https://acme.example/c/1", "definition": definition},
    }
    if row.provider == "scorm_profile":
        return statement | {"context": SCORM}, ""
    return statement, row.provider


def test_every_row_is_hit_by_a_statement(capsys: pytest.CaptureFixture[str]) -> None:
    hit = set()
    for row in TABLE.rows:
        statement, provider = statement_for(row)
        reading = read(statement, provider)
        assert reading.via is not None, row
        assert (reading.via.verb_iri, reading.via.provider, reading.via.activity_type) == (row.verb_iri, row.provider, row.activity_type)
        assert (reading.verb, reading.kind, reading.map_version) == (row.canonical, row.completion_event, TABLE.version)
        assert not reading.via.folded
        hit.add((row.verb_iri, row.provider, row.activity_type))
    with capsys.disabled():
        print(f"\nverb map v{TABLE.version}: {len(hit)} of {len(TABLE.rows)} rows hit by a statement")
    assert len(hit) == len(TABLE.rows) == ROWS, "a row came or went: say here how many there are, and test what it means"


# What a row that overrides another means: (verb IRI, provider, type) → canonical, kind, and what it is without the override.
OVERRIDES = {
    ("http://adlnet.gov/expapi/verbs/attempted", "captivate", ""): ("attempted", "opt_in", "attempted"),
    ("http://adlnet.gov/expapi/verbs/initialized", "", "virtual-classroom"): ("attended", "no", "attempted"),
    ("http://adlnet.gov/expapi/verbs/completed", "moodle", "scorm-content-object"): ("completed", "no", "completed"),
    ("http://adlnet.gov/expapi/verbs/passed", "", "objective"): ("passed", "never", "passed"),
    ("http://adlnet.gov/expapi/verbs/failed", "openedx", "course"): ("failed", "no", "failed"),
    ("http://adlnet.gov/expapi/verbs/failed", "", "objective"): ("failed", "never", "failed"),
    ("https://w3id.org/xapi/adl/verbs/satisfied", "", "block"): ("satisfied", "no", "satisfied"),
    ("http://id.tincanapi.com/verb/earned", "openedx", "course"): ("scored", "no", "mastered"),
    ("http://id.tincanapi.com/verb/earned", "openedx", "resource"): ("scored", "no", "mastered"),
    ("http://adlnet.gov/expapi/verbs/attended", "moodle", "face-to-face-discussion"): ("attended", "by_threshold", "attended"),
    ("http://adlnet.gov/expapi/verbs/attended", "", "event_timetabled"): ("attended", "by_threshold", "attended"),
    ("http://adlnet.gov/expapi/verbs/attended", "", "event_non-timetabled"): ("attended", "by_threshold", "attended"),
    ("http://adlnet.gov/expapi/verbs/attended", "", "virtual-classroom"): ("attended", "by_threshold", "attended"),
    ("http://activitystrea.ms/join", "", "virtual-classroom"): ("attended", "no", "other"),
    ("http://activitystrea.ms/join", "", "meeting"): ("attended", "no", "other"),
    ("http://activitystrea.ms/join", "moodle", "group"): ("other", "no", "other"),
    ("http://activitystrea.ms/leave", "", "virtual-classroom"): ("attended", "no", "other"),
    ("http://activitystrea.ms/leave", "", "meeting"): ("attended", "no", "other"),
    ("http://activitystrea.ms/leave", "moodle", "course"): ("registered", "no", "other"),
    ("http://activitystrea.ms/leave", "moodle", "group"): ("other", "no", "other"),
    ("http://adlnet.gov/expapi/verbs/terminated", "scorm_profile", ""): ("session", "yes", "session"),
    ("https://w3id.org/xapi/tla/verbs/suspended", "moodle", "course"): ("registered", "no", "session"),
    ("https://w3id.org/xapi/tla/verbs/resumed", "moodle", "course"): ("registered", "no", "session"),
}


def test_every_override_is_written_down_here_with_what_it_overrides() -> None:
    found = {}
    for row in TABLE.rows:
        if row.provider or row.activity_type:
            general = TABLE.find(row.verb_iri)
            assert general is not None
            key = (row.verb_iri, row.provider, row.activity_type.rsplit("/", 1)[-1])
            found[key] = (row.canonical, row.completion_event, general.row.canonical)
    assert found == OVERRIDES


def test_every_canonical_verb_has_a_row_and_unmapped_has_none() -> None:
    assert {row.canonical for row in TABLE.rows} == set(CANONICAL)


def test_every_rule_that_a_row_or_an_outcome_names_has_its_sentence() -> None:
    assert {line.rule for line in TABLE.outcomes} <= set(TABLE.rules)


def _files() -> tuple[str, bytes]:
    data = files("verbs") / "data"
    return (data / "map.toml").read_text(), (data / "verbs.csv").read_bytes()


def _with(rows: bytes, map_text: str) -> tuple[str, bytes]:
    old = hashlib.sha256(_files()[1]).hexdigest()
    return map_text.replace(old, hashlib.sha256(rows).hexdigest()), rows


def test_changed_rows_without_a_new_digest_are_refused() -> None:
    map_text, rows = _files()
    with pytest.raises(BadTable, match="raise `version`"):
        parse(map_text, rows + b"http://x.example/done,,,completed,yes,,\n")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"http://x.example/done,,,finished,yes,,\n", "not in the vocabulary"),
        (b"http://x.example/done,,,completed,maybe,,\n", "completion_event 'maybe' is unknown"),
        (b"http://adlnet.gov/expapi/verbs/completed,,,completed,yes,,\n", "stands twice"),
        (b"http://x.example/done,moodle,,completed,yes,,\n", "no row without provider and type"),
        (b" http://x.example/done,,,completed,yes,,\n", "space around"),
        (b",,,completed,yes,,\n", "no verb IRI"),
    ],
)
def test_a_bad_row_is_named(line: bytes, why: str) -> None:
    map_text, rows = _files()
    with pytest.raises(BadTable, match=why):
        parse(*_with(rows + line, map_text))


@pytest.mark.parametrize("version", ["0", "true", '"1"'])
def test_a_version_that_is_no_whole_number_from_1_is_refused(version: str) -> None:
    map_text, rows = _files()
    with pytest.raises(BadTable, match="version"):
        parse(map_text.replace("version = 1", f"version = {version}"), rows)
