"""A backup holds all that was acknowledged before it began, is there whole or not at all, and restores to what it was."""
from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tarfile
import threading
import time
import uuid
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from campaign.receiver import Receiver
from campaign.served import Served, serving, until
from lrs.cli.main import command
from lrs.completions.model import Person
from lrs.config import load
from lrs.errors import Damaged, WrongState
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.management import backup, restore
from lrs.services import Services, now_us
from lrs.statements.instants import printed
from lrs.store.open_store import open_store
from lrs.store.protocols.work import TargetRow, Wanted
from workers.connectors.registry import new_secret, settings_for

WHO = Provider("k", frozenset({"all"}), "lab", {"objectType": "Agent", "account": {"homePage": "https://x.example", "name": "k"}})
COURSE = "http://adlnet.gov/expapi/activities/course"


def statement(person: int = 0) -> dict:
    name = str(uuid.uuid4())
    return {"id": name, "actor": {"mbox": f"mailto:person{person}@acme.example"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
            "object": {"id": f"https://courses.acme.example/{name}", "definition": {"type": COURSE}}}


def take(data: Path, *given: dict) -> list[int]:
    with closing(open_store(data)) as store:
        return [one.seq for one in accept(Services(load({"LRS_DATA": str(data)}), store), json.dumps(given).encode(), WHO)]


def copy_of(data: Path, to: Path, **more: object) -> backup.Manifest:
    with closing(open_store(data)) as store:
        return backup.write(store, data, to, who="test", **more)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    take(folder, *(statement(n) for n in range(20)))
    content = b"a certificate"
    name = hashlib.sha256(content).hexdigest()
    (folder / "attachments" / name[:2]).mkdir(parents=True)
    (folder / "attachments" / name[:2] / name).write_bytes(content)
    return folder


def run(*words: object, **more: object):
    return CliRunner().invoke(command, [str(word) for word in words], **more)


@pytest.mark.parametrize("name", ["copy", "copy.tar.gz", "copy.tar"])
def test_what_is_restored_is_what_was_there(name: str, data: Path, tmp_path: Path) -> None:
    told = run("--data", data, "backup", "--to", tmp_path / name, "--verify", "--json")
    assert told.exit_code == 0, told.output
    made = json.loads(told.output)
    assert (made["counts"]["statements"], made["verified"], len(made["files"])) == (20, True, 5)
    assert run("restore", "--from", tmp_path / name, "--dry-run").exit_code == 0
    assert run("restore", "--from", tmp_path / name, "--data", tmp_path / "again").exit_code == 0
    with closing(open_store(data)) as before, closing(open_store(tmp_path / "again")) as after:
        assert after.statements.follow(0, 99) == before.statements.follow(0, 99)
        assert after.statements.term_key == before.statements.term_key
        assert after.attachments.has(hashlib.sha256(b"a certificate").hexdigest())
    assert (tmp_path / "again").stat().st_mode & 0o077 == (tmp_path / name).stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob(".*.part"))


def lrs(*words: object, **more: object) -> subprocess.CompletedProcess[str]:
    """The command as a process."""
    return subprocess.run([sys.executable, "-m", "lrs", *map(str, words)], capture_output=True, text=True, check=False, **more)


def test_a_backup_replaces_nothing_and_neither_does_a_restore(data: Path, tmp_path: Path) -> None:
    copy_of(data, tmp_path / "copy")
    with pytest.raises(WrongState, match="there already"):
        copy_of(data, tmp_path / "copy")
    told = run("restore", "--from", tmp_path / "copy", "--data", data)
    assert (told.exit_code, "is not empty" in told.output) == (1, True)
    assert run("restore", "--from", tmp_path / "nowhere", "--data", tmp_path / "x").exit_code == 1
    assert run("--data", tmp_path / "none", "backup", "--to", tmp_path / "b").exit_code == 1
    assert not (tmp_path / "none").exists(), "a backup creates no store"
    (tmp_path / "empty").mkdir()
    assert run("restore", "--from", tmp_path / "copy", "--data", tmp_path / "empty").exit_code == 0


def repacked(source: Path, to: Path, change) -> Path:
    """The archive with `change(name, bytes)` of each member; None leaves it out."""
    with tarfile.open(source) as old, tarfile.open(to, "w:gz") as new:
        for entry in old:
            content = change(entry.name, old.extractfile(entry).read())
            if content is not None:
                entry.size = len(content)
                new.addfile(entry, io.BytesIO(content))
    return to


def spoiled(content: bytes) -> bytes:
    return content[:4096] + b"\xff" * 8192 + content[12288:]


DAMAGES = {
    "a byte of the file": (lambda name, content: spoiled(content) if name == "statements.db" else content,
                           "statements.db is not what it was"),
    "no manifest": (lambda name, content: None if name == "manifest.json" else content, "not finished, or was cut off"),
    "no work": (lambda name, content: None if name == "work.db" else content, "work.db is missing"),
    "shorter": (lambda name, content: content[:100] if name == "payloads.db" else content, "payloads.db has 100 bytes instead of"),
    "another format": (lambda name, content: content.replace(b'"format": 1', b'"format": 9'), "made by a newer version"),
    "no JSON": (lambda name, content: b"{" if name == "manifest.json" else content, "manifest.json cannot be read"),
    "other counts": (lambda name, content: content.replace(b'"statements": 20', b'"statements": 21'),
                     "20 rows in statements instead of 21"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_archive_is_refused_with_what_is_wrong(damage: str, data: Path, tmp_path: Path) -> None:
    change, says = DAMAGES[damage]
    copy_of(data, tmp_path / "copy.tar.gz")
    bad = repacked(tmp_path / "copy.tar.gz", tmp_path / "bad.tar.gz", change)
    told = lrs("restore", "--from", bad, "--data", tmp_path / "again")
    assert (told.returncode, says in told.stderr) == (65, True), told.stderr
    assert not (tmp_path / "again").exists()
    assert not list(tmp_path.glob(".*.part"))


def test_an_archive_that_is_cut_off_is_refused(data: Path, tmp_path: Path) -> None:
    copy_of(data, tmp_path / "copy.tar.gz")
    whole = (tmp_path / "copy.tar.gz").read_bytes()
    for size in (0, 5, 100, len(whole) // 2, len(whole) * 9 // 10):
        (tmp_path / "cut.tar.gz").write_bytes(whole[:size])
        with pytest.raises(Damaged):
            restore.write(tmp_path / "cut.tar.gz", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_file_that_is_as_listed_and_broken_within_is_refused(data: Path, tmp_path: Path) -> None:
    copy_of(data, tmp_path / "copy")
    broken = spoiled((tmp_path / "copy" / "work.db").read_bytes())
    (tmp_path / "copy" / "work.db").write_bytes(broken)
    manifest = json.loads((tmp_path / "copy" / "manifest.json").read_text())
    for one in manifest["files"]:
        if one["name"] == "work.db":
            one["sha256"] = hashlib.sha256(broken).hexdigest()
    (tmp_path / "copy" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(Damaged, match=r"work\.db: "):
        restore.write(tmp_path / "copy", tmp_path / "again")


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "attachments/../../outside", "other.db"])
def test_an_archive_writes_nowhere_but_where_it_may(name: str, data: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    with pytest.raises(Damaged, match="is no backup"):
        restore.write(tmp_path / "evil.tar", tmp_path / "again")
    with tarfile.open(tmp_path / "link.tar", "w") as tar:
        entry = tarfile.TarInfo("work.db")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    with pytest.raises(Damaged, match="is no backup"):
        restore.write(tmp_path / "link.tar", tmp_path / "again")


@pytest.mark.parametrize("name", ["copy", "copy.tar.gz"])
@pytest.mark.parametrize("file", ["statements", "work"])
def test_of_a_damaged_store_no_backup_is_made(data: Path, tmp_path: Path, file: str, name: str) -> None:
    take(data, *({**statement(n), "result": {"response": uuid.uuid4().hex * 30}} for n in range(200)))
    with closing(open_store(data)) as store:
        for one in store.files:
            one.checkpoint(0)
    place = data / f"{file}.db"
    whole = place.read_bytes()
    pages = len(whole) // 4096
    for page in range(pages // 2, pages):  # the first ones are read when the file is opened
        place.write_bytes(whole[:page * 4096] + b"\xff" * 4096 + whole[(page + 1) * 4096:])
        told = lrs("--data", data, "backup", "--to", tmp_path / name)
        if told.returncode == 65:
            break
    assert told.returncode == 65, told.stderr
    assert f"{file}.db is damaged, and no backup was made" in told.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["data"]


def test_where_there_is_no_room_nothing_is_left(data: Path, tmp_path: Path) -> None:
    take(data, *({**statement(n), "result": {"response": uuid.uuid4().hex * 300}} for n in range(200)))

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    for name in ("copy", "copy.tar.gz"):
        told = lrs("--data", data, "backup", "--to", tmp_path / name, preexec_fn=little)
        assert (told.returncode, "no backup was made" in told.stderr) == (1, True), told.stderr
    copy_of(data, tmp_path / "copy.tar")
    told = lrs("restore", "--from", tmp_path / "copy.tar", "--data", tmp_path / "again", preexec_fn=little)
    assert (told.returncode, "nothing was restored" in told.stderr) == (1, True), told.stderr
    assert sorted(one.name for one in tmp_path.iterdir()) == ["copy.tar", "data"]


def test_after_a_restore_no_time_is_given_that_was_given_before(data: Path, tmp_path: Path) -> None:
    copy_of(data, tmp_path / "copy")
    take(data, statement())
    with closing(open_store(data)) as store:
        promised = store.statements.consistent_through()
    restore.write(tmp_path / "copy", tmp_path / "again")
    assert take(tmp_path / "again", statement())[0] > promised
    # the lost machine's clock was an hour ahead of this one
    later = now_us() + 3_600_000_000
    told = run("restore", "--from", tmp_path / "copy", "--data", tmp_path / "later", "--not-before", printed(later))
    assert told.exit_code == 0, told.output
    assert take(tmp_path / "later", statement())[0] > later


def test_a_reader_that_stays_does_not_hold_writers_up_at_every_checkpoint(data: Path) -> None:
    with closing(open_store(data)) as store, closing(open_store(data)) as other:
        file = store.files[0]
        with other.files[0].read() as db:
            db.execute("SELECT 1 FROM statements LIMIT 1").fetchone()
            take_into = Services(load({"LRS_DATA": str(data)}), store)
            accept(take_into, json.dumps([statement()]).encode(), WHO)
            asked: list[str] = []
            file.checkpoint(0)
            file._local.checkpoints.set_trace_callback(asked.append)
            assert file.checkpoint(0) > 0
            assert not [sql for sql in asked if "TRUNCATE" in sql]
        file._local.checkpoints.set_trace_callback(None)
        assert file.checkpoint(0) == 0, "when it is gone the log starts afresh"


class Senders:
    """Clients that post as fast as they can, and remember what was acknowledged."""

    def __init__(self, served: Served, count: int = 4) -> None:
        self.acknowledged: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(served,), daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _send(self, served: Served) -> None:
        call = served.sender()
        while not self._stop.is_set():
            batch = [statement(n) for n in range(10)]
            if call("POST", "/xapi/statements", json.dumps(batch).encode()).status == 200:
                self.acknowledged += [one["id"] for one in batch]
        call.close()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


@pytest.mark.slow
def test_beside_writers_at_full_speed_and_a_worker_nothing_acknowledged_before_is_missing(tmp_path: Path) -> None:
    receiver = Receiver()
    with serving(tmp_path / "first", {"LRS_LOG_LEVEL": "error"}) as served:
        with served.store() as store:
            store.directory.put_people([Person(f"{n}", identifiers=(f"mbox:person{n}@acme.example",)) for n in range(10)])
            given = {"url": f"http://127.0.0.1:{receiver.port}/", "secret": new_secret(), "allow_private": "true"}
            store.work.add_target(TargetRow("hr", "webhook", settings_for("webhook", given)))
        served.start()
        senders = Senders(served)
        backups = {}
        for name in ("one.tar.gz", "two"):
            until(lambda: len(senders.acknowledged) >= 200 * (len(backups) + 1), 60, "statements are taken")
            before = list(senders.acknowledged)
            told = lrs("--data", served.data, "backup", "--to", tmp_path / name, "--verify", "--json")
            assert told.returncode == 0, told.stderr
            backups[name] = before, json.loads(told.stdout)
        assert len(senders.acknowledged) > len(before), "senders were served meanwhile"
        senders.stop()
        until(lambda: len(receiver.times()) == len(senders.acknowledged), 90, "everything is delivered")
        served.kill_for_good()
    first = set(receiver.times())
    for name, (before, made) in backups.items():
        restore.write(tmp_path / name, tmp_path / f"again-{name}")
        with closing(open_store(tmp_path / f"again-{name}")) as store:
            assert [one for one in before if store.statements.get(one) is None] == []
            assert store.work.cursor("route").seq <= store.statements.last_seq()
            assert store.statements.count() == made["counts"]["statements"]
            assert printed(store.statements.last_seq()) == made["last_statement"]
    with (tmp_path / "log").open("wb") as log:
        again = Served(tmp_path / "again-two", log)
        again.start()
        try:
            with again.store() as store:
                until(lambda: store.work.count_by_state().get("delivered", 0) == store.statements.count(), 90, "all is delivered again")
                owed = {row.id for row in store.work.deliveries(Wanted(), 1_000_000)}
        finally:
            again.stop()
    receiver.close()
    assert owed <= first, "what is sent again has the id that it had"
    assert set(receiver.times()) == first


@pytest.mark.slow
@pytest.mark.parametrize("name", ["copy", "copy.tar.gz"])
def test_a_backup_that_is_killed_leaves_nothing_under_its_name(name: str, data: Path, tmp_path: Path) -> None:
    take(data, *({**statement(n), "result": {"response": os.urandom(20_000).hex()}} for n in range(200)))
    words = [sys.executable, "-m", "lrs", "--data", str(data), "backup", "--to", str(tmp_path / name)]
    killed = 0
    for delay in (0.0, 0.005, 0.01, 0.02, 0.05, 0.1):
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            until(lambda process=process: list(tmp_path.glob(".*.part")) or process.poll() is not None, 30, "it has begun")  # type: ignore[misc]
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            process.wait()
        if (tmp_path / name).exists():
            restore.write(tmp_path / name, tmp_path / "again", dry=True)
            break
        killed += 1
    assert killed
    if not (tmp_path / name).exists():
        assert list(tmp_path.glob(".*.part")), "what it had made lies there"
        copy_of(data, tmp_path / name, check=restore.unpacked)
    assert not list(tmp_path.glob(".*.part")), "the next one clears up after it"
