"""The exported files open in pandas and DuckDB, say the same in every format, and name nobody."""
import datetime
import json
import os
import subprocess
import tempfile
from pathlib import Path

import duckdb
import pandas
import pytest
from click.testing import CliRunner

from analytics.dictionary import FACTS, RAW, markdown
from analytics.exports import csv, parquet
from analytics.exports.rows import FORMATS, Wanted, moment, verb
from analytics.exports.run import export
from lrs.cli.main import command
from lrs.completions.model import Course, Person
from lrs.config import load
from lrs.directory.csv import identifiers_of
from lrs.errors import WrongState
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.services import Services
from lrs.store.open_store import open_store

COURSE = "http://adlnet.gov/expapi/activities/course"
WHO = Provider("k", frozenset({"all"}), "sim", {"objectType": "Agent", "account": {"homePage": "https://x.example", "name": "k"}})


def statement(number, verb="completed", **more):
    return {"actor": {"name": "Ada Secret", "mbox": f"mailto:person{number % 3}@acme.example"},
            "verb": {"id": f"http://adlnet.gov/expapi/verbs/{verb}"},
            "object": {"id": f"https://c.example/{number % 5}", "definition": {"type": COURSE}},
            "timestamp": f"2026-03-0{number % 9 + 1}T23:30:00+02:00",
            "result": {"score": {"scaled": 0.5, "raw": 50}, "success": True, "duration": "PT1M30S", "response": "=1+1"}, **more}


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "data")
    opened.directory.put_courses([Course("https://c.example/0", aliases=("https://c.example/1",))])
    opened.directory.put_people([Person("7", "person0@acme.example", identifiers=tuple(identifiers_of("7", ["person0@acme.example"])))])
    services = Services(load({"LRS_DATA": str(tmp_path / "data")}), opened)
    accept(services, json.dumps([statement(n, "passed" if n % 4 else "completed") for n in range(2500)][:2000]).encode(), WHO)
    accept(services, json.dumps([statement(n, context={"platform": "=cmd|x"}) for n in range(2000, 2500)]).encode(), WHO)
    yield opened
    opened.close()


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_a_file_opens_in_pandas_and_duckdb_with_every_row_and_column(store, tmp_path, kind):
    out = tmp_path / "out"
    written = export(store, Wanted(), kind, out)
    assert (written.rows, written.through) == (2500, store.statements.follow(0, 5000)[-1].seq)
    read = {"csv": pandas.read_csv, "parquet": pandas.read_parquet, "ndjson": lambda f: pandas.read_json(f, lines=True)}[kind]
    frame = read(written.file)
    assert list(frame.columns) == [column.name for column in FACTS]
    assert len(frame) == 2500
    assert frame["verb"].value_counts().to_dict() == {"passed": 1500, "completed": 1000}
    assert set(frame["duration"]) == {90.0}
    assert frame["subject"].nunique() == 3
    reader = {"csv": "read_csv", "parquet": "read_parquet", "ndjson": "read_json"}[kind]
    assert duckdb.sql(f"SELECT count(*), sum(score) FROM {reader}('{written.file}')").fetchall() == [(2500, 1250.0)]
    assert subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=out, check=False).returncode == 0
    assert [one["rows"] for one in json.loads((out / "manifest.json").read_text())["files"]] == [2500]
    text = written.file.read_bytes()
    assert b"person0@acme" not in text
    assert b"Secret" not in text


def test_parquet_has_the_documented_types(store, tmp_path):
    written = export(store, Wanted(), "parquet", tmp_path / "out")
    types = {name: kind for name, kind, *_ in duckdb.sql(f"DESCRIBE SELECT * FROM '{written.file}'").fetchall()}
    assert types == {column.name: column.type for column in FACTS}
    first = duckdb.sql(f"SELECT timestamp, date FROM '{written.file}' ORDER BY seq LIMIT 1").fetchall()[0]
    assert first == (datetime.datetime(2026, 3, 1, 21, 30), datetime.date(2026, 3, 1))


def test_filters_and_aliases(store, tmp_path):
    assert export(store, Wanted(verb="completed"), "ndjson", tmp_path / "a").rows == 1000
    assert export(store, Wanted(course="https://c.example/1"), "ndjson", tmp_path / "b").rows == 1000
    middle = store.statements.follow(0, 1999)[-1].seq
    assert export(store, Wanted(until=middle), "ndjson", tmp_path / "c").rows == 1999
    assert export(store, Wanted(since=middle), "ndjson", tmp_path / "d").rows == 501


def test_an_export_goes_on_where_the_last_one_ended(store, tmp_path):
    first = export(store, Wanted(), "csv", tmp_path / "out")
    assert export(store, Wanted(since=first.through), "csv", tmp_path / "next").rows == 0


def test_parts_and_formats_in_one_folder_stand_side_by_side(store, tmp_path):
    out = tmp_path / "out"
    middle = store.statements.follow(0, 1000)[-1].seq
    export(store, Wanted(until=middle), "parquet", out)
    export(store, Wanted(since=middle), "parquet", out)
    export(store, Wanted(), "csv", out)
    export(store, Wanted(), "csv", out)
    files = ["facts.parquet", f"facts-{middle}.parquet", "facts.csv"]
    assert [one["file"] for one in json.loads((out / "manifest.json").read_text())["files"]] == files
    assert duckdb.sql(f"SELECT count(*), count(DISTINCT seq) FROM '{out}/*.parquet'").fetchall() == [(2500, 2500)]
    assert subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=out, check=False).returncode == 0
    assert sorted(file.name for file in out.iterdir()) == sorted([*files, "manifest.json", "SHA256SUMS"])


def test_an_export_that_breaks_off_leaves_what_was_there(store, tmp_path):
    first = export(store, Wanted(), "csv", tmp_path / "out").file.read_bytes()

    def stop(rows, seq):
        raise OSError("disk full")
    with pytest.raises(OSError, match="disk full"):
        export(store, Wanted(), "csv", tmp_path / "out", stop)
    assert (tmp_path / "out" / "facts.csv").read_bytes() == first
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["SHA256SUMS", "facts.csv", "manifest.json"]


@pytest.mark.parametrize(("count", "size"), [(30_000, 8_000), (100, 2_000_000)])
def test_large_statements_fit_a_parquet_file_in_order(count, size):
    def slices():
        for start in range(0, count, 100):
            yield [{"statement_id": str(n), "seq": n, "voided": False, "statement": f"{n:x}" + os.urandom(size // 2).hex()}
                   for n in range(start, start + 100)]
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        file.writelines(parquet.chunks(slices(), RAW))
        file.flush()
        told = "SELECT count(*), bool_and(seq = file_row_number) FROM read_parquet(?, file_row_number = true)"
        assert duckdb.execute(told, [file.name]).fetchall() == [(count, True)]


@pytest.mark.parametrize("text", ["soon", "", "12345678901234567890", "2026-13-01", "²²²²²²²²²"])
def test_a_time_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="no ISO 8601 time"):
        moment(text)


def test_a_time_is_a_date_an_instant_or_a_cursor():
    assert moment("2026-11-24") == moment("2026-11-24T00:00:00Z") == moment("1795478400000000") == 1795478400000000
    assert moment("0") == 0


def test_a_verb_is_canonical_or_an_iri(store, tmp_path):
    assert export(store, Wanted(verb="http://adlnet.gov/expapi/verbs/completed"), "ndjson", tmp_path / "a").rows == 1000
    with pytest.raises(ValueError, match="no canonical verb"):
        verb("finished")


def test_raw_statements_are_the_stored_bytes(store, tmp_path):
    written = export(store, Wanted(raw=True), "ndjson", tmp_path / "out")
    lines = [json.loads(line) for line in written.file.read_text().splitlines()]
    assert list(lines[0]) == [column.name for column in RAW]
    assert lines[0]["statement"] == store.statements.follow(0, 1)[0].text.decode()


def test_nothing_to_export_is_a_file_with_its_columns(tmp_path):
    empty = open_store(tmp_path / "data")
    for kind in FORMATS:
        assert export(empty, Wanted(), kind, tmp_path / "out").rows == 0
    assert list(pandas.read_parquet(tmp_path / "out" / "facts.parquet").columns) == [column.name for column in FACTS]
    empty.close()


@pytest.mark.parametrize(("value", "shown"), [("=1+1", "'=1+1"), ("+x", "'+x"), ("@x", "'@x"), ("-x", "'-x"), ("x=1", "x=1"), (-1.5, -1.5),
                                              (None, ""), (True, "true"), ("", "")])
def test_a_csv_cell_never_begins_like_a_formula(value, shown):
    assert csv.cell(value) == shown


def test_the_command_and_its_mistakes(store, tmp_path):
    run = CliRunner().invoke
    data = ["--data", str(tmp_path / "data"), "export"]
    done = run(command, [*data, "--format", "csv", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "2500 rows" in done.output
    assert run(command, data).exit_code == 2
    for wrong in (["--since", "soon"], ["--since", "9" * 30], ["--verb", "finished"], ["--since", "2026-11-24", "--until", "2026-11-23"]):
        assert run(command, [*data, "--format", "csv", "--out", str(tmp_path / "o"), *wrong]).exit_code == 2
    (tmp_path / "file").write_text("")
    assert run(command, [*data, "--format", "csv", "--out", str(tmp_path / "file" / "x")]).exit_code == 1
    none = run(command, [*data, "--format", "csv", "--out", str(tmp_path / "o"), "--course", "https://nowhere.example"])
    assert (none.exit_code, "is of the course https://nowhere.example; lrs courses list" in none.stderr) == (0, True)


def test_the_data_dictionary_page_is_what_the_command_prints():
    with open("docs/data-dictionary.md") as page:
        assert page.read() == markdown()


def test_an_export_with_other_filters_is_not_replaced_unless_that_is_said(store, tmp_path):
    out = tmp_path / "out"
    whole = export(store, Wanted(), "csv", out).file.read_bytes()
    for other in (Wanted(verb="completed"), Wanted(course="https://c.example/1"), Wanted(until=1_700_000_000_000_000)):
        with pytest.raises(WrongState, match=r"facts\.csv is an export with other filters \(none\).*--out.*--force"):
            export(store, other, "csv", out)
    assert (out / "facts.csv").read_bytes() == whole
    assert subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=out, capture_output=True, check=False).returncode == 0
    export(store, Wanted(verb="completed"), "ndjson", out)  # of another name
    export(store, Wanted(raw=True), "csv", out)
    assert export(store, Wanted(verb="completed"), "csv", out, force=True).rows == 1000
    with pytest.raises(WrongState, match=r"other filters \(verb completed\)"):
        export(store, Wanted(), "csv", out)


def test_a_file_of_somebody_else_is_not_replaced(store, tmp_path):
    (tmp_path / "facts.csv").write_text("mine")
    with pytest.raises(WrongState, match=r"manifest\.json does not say that it is an export"):
        export(store, Wanted(), "csv", tmp_path)
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("facts")] == ["facts.csv"]
    assert (tmp_path / "facts.csv").read_text() == "mine"


def test_who_was_killed_when_the_file_had_its_name_may_export_again(store, tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    left, replace = 0, Path.replace

    def killed(self: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return replace(self, target)

    for at in range(3):
        left = at
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", killed)
            with pytest.raises(Killed):
                export(store, Wanted(), "csv", tmp_path / str(at))
        assert export(store, Wanted(), "csv", tmp_path / str(at)).rows == 2500
        assert subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path / str(at), capture_output=True, check=False).returncode == 0
