"""`lrs move` brings everything to the other kind of store and back, however often it is killed on its way, and nothing twice."""
from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from everything import everything, rows
from filled_store import WHO, said

from campaign.receiver import Receiver
from lrs.cli.main import command
from lrs.completions.model import Person
from lrs.config import load
from lrs.errors import Damaged, WrongState
from lrs.ingest.batch import accept
from lrs.management import move, verify
from lrs.services import Services, now_us
from lrs.statements.record import Query
from lrs.store.mongo import copied
from lrs.store.open_store import open_store
from lrs.store.protocols.copied import PARTS
from lrs.store.protocols.work import TargetRow, Wanted
from workers.connectors.registry import new_secret, settings_for
from workers.route import route_once

OWN = frozenset({"audit", "numbers"})
"""What a move itself adds to: it is in the target's audit log."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with something of everything; nobody writes to it."""
    folder = tmp_path_factory.mktemp("source") / "data"
    everything(folder)
    return folder


def moved(source: str | Path, target: str | Path) -> move.Moved:
    with closing(open_store(source, first=False)) as old, closing(open_store(target, moving=True)) as new:
        return move.move(old, new, who="test", of=str(source))


def broken(place: str | Path) -> list[verify.Broken]:
    with closing(open_store(place, first=False)) as store:
        return list(verify.verify(store))


def lrs(*words: object) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words], env={"LRS_TEST_MONGO": None, "LRS_TEST_MONGO_URL": None})


def test_there_and_back_it_is_the_same_to_the_row(filled: Path, mongo_place: str, tmp_path: Path) -> None:
    before = rows(filled)
    assert moved(filled, mongo_place).rows == {part: len(some) for part, some in before.items() if not PARTS[part].seed}
    assert moved(mongo_place, tmp_path / "back").rows["audit"] == len(before["audit"]) + 1
    there, back = rows(mongo_place), rows(tmp_path / "back")
    for part in PARTS.keys() - OWN:
        assert before[part] == there[part] == back[part], part
    assert [one[:1] + one[2:] for one in there["audit"]][:len(before["audit"])] == [one[:1] + one[2:] for one in before["audit"]]
    for place in (filled, mongo_place, tmp_path / "back"):
        assert broken(place) == []


def test_what_readers_ask_for_is_answered_as_before(filled: Path, mongo_place: str) -> None:
    moved(filled, mongo_place)
    with closing(open_store(filled)) as old, closing(open_store(mongo_place)) as new:
        records = new.statements.follow(0, 1_000)
        assert records == old.statements.follow(0, 1_000)
        names = [one.id for one in records]
        assert new.statements.requests(names) == old.statements.requests(names)
        terms = {term for one in old.statements.kept(0, 1_000) for term in one.terms}
        assert len(terms) > 20
        for query in [Query((term,), ascending=ascending) for term in terms for ascending in (False, True)]:
            assert new.statements.page(query).records == old.statements.page(query).records
        assert set(new.statements.requests(names).values()) >= {"request-1", "request-2"}
        assert new.work.feed(0, 1_000) == old.work.feed(0, 1_000)
        assert new.credentials.list() == old.credentials.list()
        assert new.credentials.secret_key == old.credentials.secret_key
        assert {one.name: one for one in new.work.targets()} == {one.name: one for one in old.work.targets()}
        assert sorted(new.work.deliveries(Wanted(), 1_000), key=repr) == sorted(old.work.deliveries(Wanted(), 1_000), key=repr)
        assert new.mappings.active("verbs") == old.mappings.active("verbs")
        assert new.directory.last_change() == old.directory.last_change()
        assert new.statements.consistent_through() >= old.statements.last_seq()


def test_what_comes_later_goes_on_where_the_source_was(filled: Path, mongo_place: str, tmp_path: Path) -> None:
    moved(filled, mongo_place)
    moved(mongo_place, tmp_path / "back")
    for place in (mongo_place, tmp_path / "back"):
        with closing(open_store(place)) as store:
            before = store.statements.consistent_through()
            records = store.statements.follow(0, 1_000)
            [waited_for] = {one.target for one in records if one.target and not one.voids} - {one.id for one in records}
            [added] = accept(Services(load({}), store), json.dumps({**said("passed"), "id": waited_for}).encode(), WHO)
            assert added.seq > before
            [voided_before] = {one.voids for one in records if one.voids} - {one.id for one in records}
            accept(Services(load({}), store), json.dumps({**said("passed"), "id": voided_before}).encode(), WHO)
            assert store.statements.get(voided_before, voided=True), "its void came before it, and before the move"
            known = store.directory.last_change()
            store.directory.put_people([Person("new")])
            assert store.directory.last_change() == known + 1
            n = store.payloads.list()[0].n
            assert store.payloads.keep("zoom", "k", b"new") == n + 1
        assert broken(place) == [], "who referred to what came late is found by it"


KILLED = textwrap.dedent("""
    import os, signal, sys
    from contextlib import closing
    from lrs.management import move
    from lrs.store.open_store import open_store
    from lrs.store.protocols import copied
    from dataclasses import replace

    left = int(sys.argv[3])

    def dying(method):
        def call(*given):
            global left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            method(*given)
        return call

    for part in copied.PARTS:
        copied.PARTS[part] = replace(copied.PARTS[part], page=7)
    move.SLICE = 7
    with closing(open_store(sys.argv[1], first=False)) as old, closing(open_store(sys.argv[2], moving=True)) as new:
        for name in ("write", "mark", "index"):
            kind = type(new.copied)
            setattr(kind, name, dying(getattr(kind, name)))
        move.move(old, new, who="test", of="it")
    """)


@pytest.mark.parametrize("way", ["to MongoDB", "to files"])
def test_killed_again_and_again_it_goes_on_and_is_whole(way: str, filled: Path, mongo_place: str, tmp_path: Path) -> None:
    source: str | Path = filled
    target: str | Path = mongo_place
    if way == "to files":
        moved(filled, mongo_place)
        source, target = mongo_place, tmp_path / "back"
    killed = 0
    for calls in (0, 1, 30, 43, 44, 57, 69, 5_000):
        done = subprocess.run([sys.executable, "-c", KILLED, str(source), str(target), str(calls)], capture_output=True, text=True,
                              timeout=120, check=False)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        killed += 1
        if calls:
            with pytest.raises(WrongState, match="not finished: run the same `lrs move` again"):
                open_store(target)
    assert killed >= 4
    before, after = rows(source), rows(target)
    for part in PARTS.keys() - OWN:
        assert before[part] == after[part], part
    assert broken(target) == []


def test_a_target_that_has_something_is_left_alone(filled: Path, tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "other")) as other:
        other.directory.put_people([Person("p")])
    told = lrs("move", "--from", filled, "--to", tmp_path / "other")
    assert (told.exit_code, "the target is not empty: it has people, changes" in told.output) == (1, True), told.output
    assert lrs("move", "--from", filled, "--to", filled).exit_code == 1
    assert lrs("move", "--from", tmp_path / "none", "--to", tmp_path / "new").exit_code == 1
    assert not (tmp_path / "none").exists()
    assert not (tmp_path / "new").exists()


def test_a_store_is_not_moved_to_itself(filled: Path) -> None:
    told = lrs("move", "--from", filled, "--to", f"{filled}/../{filled.name}/")
    assert (told.exit_code, "--from and --to are the same store" in told.output) == (1, True), told.output


def test_half_of_another_store_is_no_target(filled: Path, tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "half")) as half:
        half.copied.mark(move._State("another").text())
    told = lrs("move", "--from", filled, "--to", tmp_path / "half")
    assert (told.exit_code, "half of another store" in told.output) == (1, True)


@pytest.fixture
def serving(filled: Path) -> Iterator[None]:
    with (filled / "serve.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.usefixtures("serving")
def test_a_store_that_is_served_is_not_moved(filled: Path, tmp_path: Path) -> None:
    told = lrs("move", "--from", filled, "--to", tmp_path / "new")
    assert (told.exit_code, "an LRS is running on" in told.output) == (1, True), told.output


def test_a_database_at_which_somebody_works_is_not_moved(filled: Path, mongo_place: str, tmp_path: Path) -> None:
    moved(filled, mongo_place)
    with closing(open_store(mongo_place)) as store:
        store.heartbeats.beat("worker-elsewhere", {"route": now_us()})
        told = lrs("move", "--from", mongo_place, "--to", tmp_path / "new")
        assert (told.exit_code, "worker-elsewhere was at work" in told.output) == (1, True), told.output
        store.heartbeats.beat("worker-elsewhere", {"route": 1})
        # a process that has written statements, and has not ended
        accept(Services(load({}), store), json.dumps(said("passed")).encode(), WHO)
        told = lrs("move", "--from", mongo_place, "--to", tmp_path / "new")
        assert (told.exit_code, "was at work" in told.output) == (1, True), told.output


def test_a_source_that_was_written_to_meanwhile_is_seen(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_store(tmp_path / "new", moving=True)) as new, closing(open_store(filled)) as old:
        count = old.copied.count
        counted: list[str] = []

        def one_more(part: str) -> int:
            counted.append(part)
            return count(part) + (part == "people" and counted.count("people") > 1)

        monkeypatch.setattr(type(old.copied), "count", lambda self, part: one_more(part))
        with pytest.raises(WrongState, match=r"written to meanwhile \(people\)"):
            move.move(old, new, who="test", of="it")


def test_a_target_that_lost_something_is_seen(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_store(tmp_path / "new", moving=True)) as new, closing(open_store(filled)) as old:
        write = type(new.copied).write
        monkeypatch.setattr(type(new.copied), "write", lambda self, part, rows: write(
            self, part, [(*row[:-1], b"{}") for row in rows] if part == "feed" else rows))
        with pytest.raises(Damaged, match=r"feed: \d+ rows were read and \d+ are there, which are not the same ones"):
            move.move(old, new, who="test", of="it")


def test_a_dry_run_says_what_would_go_and_does_nothing(filled: Path, tmp_path: Path) -> None:
    told = lrs("move", "--from", filled, "--to", tmp_path / "new", "--dry-run")
    assert told.exit_code == 0
    assert "60 statements\n" in told.output
    assert not (tmp_path / "new").exists()
    made = json.loads(lrs("move", "--from", filled, "--to", tmp_path / "new", "--dry-run", "--json").output)
    assert (made["rows"]["statements"], made["dry_run"], made["goes_on"]) == (60, True, False)


def test_the_command_moves_and_says_so(filled: Path, mongo_place: str) -> None:
    told = lrs("move", "--from", filled, "--to", mongo_place)
    assert told.exit_code == 0, (told.output, told.exception)
    assert told.output.startswith("60 statements and all that belongs to them went from")
    with closing(open_store(mongo_place)) as store:
        assert store.audit.list(action="store.move")[0].thing == str(filled)


def test_what_was_owed_is_delivered_once_from_the_moved_store(
    mongo_place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Receiver()) as receiver:
        with closing(open_store(tmp_path / "data")) as store:
            services = Services(load({}), store)
            given = {"url": f"http://127.0.0.1:{receiver.port}/", "secret": new_secret(), "allow_private": "true"}
            store.work.add_target(TargetRow("hr", "webhook", settings_for("webhook", given)))
            store.directory.put_people([Person("1", identifiers=("mbox:ada@acme.example",))])
            accept(services, json.dumps([said("passed", {"id": f"https://c.example/{n}", "definition": {
                "type": "http://adlnet.gov/expapi/activities/course"}}) for n in range(30)]).encode(), WHO)
            while route_once(services).statements:
                pass
            owed = {one.id for one in store.work.deliveries(Wanted(), 100)}
            assert len(owed) == 30
        moved(tmp_path / "data", mongo_place)
        work(mongo_place, tmp_path / "here", lambda: len(receiver.came) >= 30)
        assert sorted(one.id for one in receiver.came) == sorted(owed)
        monkeypatch.setattr(copied, "SILENT_SECONDS", 0)  # its worker has ended
        moved(mongo_place, tmp_path / "back")
        with closing(open_store(tmp_path / "back")) as store:
            assert store.work.count_by_state() == {"delivered": 30}


def work(place: str, data: Path, done: Any) -> None:
    """A worker process on the store until `done()`, and a moment longer."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LRS_")}
    process = subprocess.Popen([sys.executable, "-m", "lrs.serve.worker", str(os.getpid())],
                               env={**environ, "LRS_STORE": place, "LRS_DATA": str(data)})
    try:
        deadline = time.monotonic() + 60
        while not done():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(1)
    finally:
        process.terminate()
        process.wait(30)
