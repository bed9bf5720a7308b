"""The exported files open in pandas and DuckDB, say the same in every format, and name nobody."""
import datetime
import json
import subprocess

import duckdb
import pandas
import pytest
from click.testing import CliRunner

from analytics.dictionary import FACTS, RAW, markdown
from analytics.exports import csv
from analytics.exports.rows import Wanted
from analytics.exports.run import FORMATS, export
from lrs.cli.main import command
from lrs.completions.model import Course, Person
from lrs.config import load
from lrs.directory.csv import identifiers_of
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
    assert json.loads((out / "manifest.json").read_text())["rows"] == 2500
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
    assert run(command, [*data, "--format", "csv", "--out", str(tmp_path / "o"), "--since", "soon"]).exit_code == 2
    (tmp_path / "file").write_text("")
    assert run(command, [*data, "--format", "csv", "--out", str(tmp_path / "file" / "x")]).exit_code == 1


def test_the_data_dictionary_page_is_what_the_command_prints():
    with open("docs/data-dictionary.md") as page:
        assert page.read() == markdown()
