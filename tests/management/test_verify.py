"""`lrs verify` finds nothing in a sound store, and names each promise that was broken by hand."""
from __future__ import annotations

import json
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from filled_store import WHO, filled, ref, said

from lrs.cli.main import command
from lrs.config import load
from lrs.ingest.batch import accept
from lrs.management import verify, verify_log
from lrs.services import Services
from lrs.store.open_store import Store, open_store
from workers.route import route_once


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A store with all that `filled` puts in."""
    folder = tmp_path / "data"
    filled(folder)
    return folder


def broken(data: Path) -> list[verify.Broken]:
    with closing(open_store(data)) as store:
        return list(verify.verify(store))


def test_a_sound_store_has_nothing_to_tell(data: Path) -> None:
    assert broken(data) == []
    told = CliRunner().invoke(command, ["--data", str(data), "verify"])
    assert (told.exit_code, told.output) == (0, "6 statements: every promise holds\n")


def sql(text: str, file: int = 0) -> Callable[[Store, Path], None]:
    def change(store: Store, data: Path) -> None:
        with store.files[file].write() as db:
            assert db.execute(text).rowcount, text
    return change


WORK = 1
FIRST = "(SELECT min(seq) FROM statements)"
FUTURE = 1 << 52
BREAKS: dict[str, tuple[Callable[[Store, Path], None], set[str]]] = {
    "a term kept too many": (
        sql(f"UPDATE statements SET terms = CAST(terms || x'0102030405060708' AS BLOB) WHERE seq = {FIRST}"),
        {"terms", "index"}),
    "an altered text": (sql("UPDATE statements SET text = CAST(replace(CAST(text AS TEXT), 'passed', 'failed') AS BLOB)"), {"terms"}),
    "a text that is none": (sql(f"UPDATE statements SET text = x'7b' WHERE seq = {FIRST}"), {"terms"}),
    "an index row gone": (sql(f"DELETE FROM terms_recent WHERE seq = {FIRST} AND via = 0"), {"index"}),
    "a row of a reference gone": (sql("DELETE FROM terms_recent WHERE via <> 0"), {"index"}),
    "a row of nobody": (sql("INSERT INTO terms_main VALUES (7, 7, 0)"), {"orphan"}),
    "a row of another": (sql(f"INSERT INTO terms_main VALUES (7, {FIRST}, 0)"), {"orphan"}),
    "a row by way of what it does not refer to": (
        sql(f"INSERT OR IGNORE INTO terms_main SELECT term, {FIRST}, seq FROM terms_recent WHERE seq > {FIRST} AND via = 0"), {"orphan"}),
    "a later stored": (sql(f"UPDATE statements SET seq = seq + 1 WHERE seq = (SELECT max(seq) FROM statements) AND seq > {FIRST}"),
                       {"order", "index", "orphan"}),
    "a ceiling below": (sql("UPDATE clock SET ceiling = 5"), {"order"}),
    "a void undone": (sql("UPDATE statements SET voided = 0"), {"void"}),
    "a void of nobody": (sql(f"UPDATE statements SET voided = 1 WHERE seq = {FIRST}"), {"void"}),
    "no reading": (sql(f"UPDATE statements SET reading = x'7b' WHERE seq = {FIRST}"), {"reading"}),
    "a reading without version": (
        sql("UPDATE statements SET reading = CAST(json_remove(CAST(reading AS TEXT), '$.map_version') AS BLOB)"), {"reading"}),
    "data gone": (lambda store, data: next((data / "attachments").glob("??/*")).unlink(), {"attachment"}),
    "a cursor ahead": (sql(f"UPDATE cursors SET seq = {FUTURE}", WORK), {"cursor"}),
    "a cursor ahead of the directory": (sql("UPDATE cursors SET change = 99", WORK), {"cursor"}),
    "the sessions' cursor ahead": (sql(f"INSERT OR REPLACE INTO session_cursor VALUES (1, {FUTURE})", WORK), {"cursor"}),
    "the definitions' cursor ahead": (sql(f"UPDATE definitions_cursor SET seq = {FUTURE}"), {"cursor"}),
    "a gap in the feed": (sql("UPDATE feed SET n = 2", WORK), {"feed"}),
    "a revision left out": (sql("UPDATE feed SET revision = 2", WORK), {"feed", "event", "delivery"}),
    "an event gone": (sql("DELETE FROM feed", WORK), {"event", "delivery"}),
    "an achievement gone": (sql("DELETE FROM states", WORK), {"event"}),
    "a delivery of nothing": (sql("UPDATE deliveries SET event_id = 'x'", WORK), {"delivery"}),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_promise_broken_by_hand_is_named(what: str, data: Path) -> None:
    change, expected = BREAKS[what]
    with closing(open_store(data)) as store:
        change(store, data)
    shutil.copytree(data, data.with_name("same"))
    assert {one.promise for one in broken(data)} == expected
    told = CliRunner().invoke(command, ["--data", str(data.with_name("same")), "verify", "--json"])
    assert told.exit_code == 1
    assert {json.loads(line)["promise"] for line in told.output.splitlines()} == expected


def test_what_is_written_meanwhile_is_no_broken_promise(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_log, "SLICE", 7)
    ended = threading.Event()
    taken: list[int] = []

    def write() -> None:
        with closing(open_store(data)) as store:
            services = Services(load({}), store)
            while not ended.is_set():
                first = said("passed")
                late = str(uuid.uuid4())
                given = [said("commented", {"objectType": "StatementRef", "id": late}), first, said("commented", ref(first)),
                         {**said("experienced"), "id": late}, said("voided", ref(first))]
                taken.append(len(accept(services, json.dumps(given).encode(), WHO)))
                store.statements.merge_postings(50)
                route_once(services)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            before = len(taken)
            assert broken(data) == []
            while len(taken) < before + 3:
                time.sleep(0.01)
    finally:
        ended.set()
        writer.join(30)
    assert broken(data) == []
    assert sum(taken) >= 75


def test_every_promise_is_broken_by_some_test() -> None:
    # `whole` has tests of its own, test_lost_files.py: such a store is not even opened
    assert set().union(*(expected for _, expected in BREAKS.values())) | {"whole"} == set(verify.PROMISES)


def test_nothing_is_created_where_there_is_no_store(tmp_path: Path) -> None:
    assert CliRunner().invoke(command, ["--data", str(tmp_path / "none"), "verify"]).exit_code == 1
    assert not (tmp_path / "none").exists()


def test_the_page_has_the_table_of_promises() -> None:
    page = (Path(__file__).parents[2] / "docs" / "verify.md").read_text()
    assert "".join(f"| {name} | {text} |\n" for name, text in verify.PROMISES.items()) in page
