"""A file of a store that is gone is noticed by whatever opens the store, and made anew only where that is said."""
from __future__ import annotations

import json
import multiprocessing
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from filled_store import filled
from real_mongo import Mongo, free_port

from lrs.cli.main import command
from lrs.errors import Lost, StoreUnavailable, WrongState
from lrs.management.verify import verify
from lrs.store.open_store import open_store
from lrs.store.sqlite import identity
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.whole import NAMES


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A store with all that `filled` puts in."""
    filled(tmp_path / "data")
    return tmp_path / "data"


def remove(data: Path, *names: str) -> None:
    for name in names:
        for file in data.glob(f"{name}.db*"):
            file.unlink()


def empty(data: Path, *names: str) -> None:
    remove(data, *names)
    for name in names:
        (data / f"{name}.db").touch()


def without_identity(data: Path) -> None:
    """As earlier versions left it."""
    for name in NAMES:
        with closing(sqlite3.connect(data / f"{name}.db")) as db, db:
            db.execute("DROP TABLE store")


def run(data: Path, *words: str) -> Result:
    return CliRunner().invoke(command, ["--data", str(data), *words])


def sound(data: Path) -> bool:
    with closing(open_store(data)) as store:
        return list(verify(store)) == []


@pytest.mark.parametrize("lose", [remove, empty])
@pytest.mark.parametrize("name", ["work", "rejections", "payloads"])
def test_what_lacks_a_file_is_not_opened_until_the_loss_is_accepted(data: Path, name: str, lose: Callable[..., None]) -> None:
    lose(data, name)
    for _ in range(2):
        with pytest.raises(Lost, match=rf"{name}\.db is gone.*lrs restore.*lrs migrate --accept-loss {name}"):
            open_store(data)
    told = run(data, "verify")
    assert told.exit_code == 1
    assert told.output.startswith("whole ")
    assert f"{name}.db is gone" in json.loads(run(data, "verify", "--json").output)["seen"]
    assert f"{name}.db is gone" in str(run(data, "serve", "--port", str(free_port())).exception)
    assert run(data, "migrate").exit_code == 1
    assert run(data, "migrate", "--accept-loss", name).exit_code == 0
    with closing(open_store(data)) as store:
        assert store.statements.count() == 6
        assert [one.thing for one in store.audit.list(action="store.accept_loss")] == [name]
    again = run(data, "migrate", "--accept-loss", name)
    assert (again.exit_code, "no loss to accept" in again.output) == (1, True)


@pytest.mark.parametrize("lose", [remove, empty])
@pytest.mark.parametrize("others", [("work", "rejections", "payloads"), ("work",), ("payloads",)])
def test_nothing_stands_for_lost_statements(data: Path, others: tuple[str, ...], lose: Callable[..., None]) -> None:
    lose(data, "statements")
    remove(data, *(set(NAMES) - {"statements", *others}))
    for _ in range(2):
        with pytest.raises(Lost, match=r"statements\.db is gone.*lrs restore"):
            open_store(data)
    assert run(data, "verify").exit_code == 1
    assert isinstance(run(data, "migrate", "--accept-loss", "work").exception, Lost)


def test_a_store_of_an_earlier_version_is_opened_and_notices_from_then_on(data: Path) -> None:
    without_identity(data)
    assert sound(data)
    remove(data, "work")
    with pytest.raises(Lost):
        open_store(data)


@pytest.mark.parametrize("name", ["work", "statements"])
@pytest.mark.parametrize("lose", [remove, empty])
def test_a_store_of_an_earlier_version_that_lacks_a_file_is_refused(data: Path, name: str, lose: Callable[..., None]) -> None:
    without_identity(data)
    lose(data, name)
    for _ in range(2):
        with pytest.raises(Lost, match=rf"{name}\.db is gone"):
            open_store(data)
    if name == "work":
        assert run(data, "migrate", "--accept-loss", "work").exit_code == 0
        with closing(open_store(data)) as store:
            assert store.statements.count() == 6


def test_a_file_of_another_store_is_refused(data: Path, tmp_path: Path) -> None:
    filled(tmp_path / "other")
    remove(data, "work")
    shutil.copy(tmp_path / "other" / "work.db", data / "work.db")
    with pytest.raises(WrongState, match=r"work\.db is of another store"):
        open_store(data)


class Killed(Exception):
    pass


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("at", range(6))
def test_who_is_killed_while_the_files_are_made_has_lost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, earlier: bool,
) -> None:
    data = tmp_path / "data"
    if earlier:
        filled(data)
        without_identity(data)
    left, write = at, Database.write

    def killed(self: Database) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return write(self)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "write", killed)
        with pytest.raises(Killed):
            open_store(data)
    assert sound(data)
    remove(data, "work")
    with pytest.raises(Lost):
        open_store(data)


def test_many_processes_may_make_a_store_at_once(tmp_path: Path) -> None:
    for n in range(3):
        with multiprocessing.get_context("fork").Pool(6) as pool:
            assert pool.map(_identity, [tmp_path / str(n)] * 6) == [_identity(tmp_path / str(n))] * 6


def _identity(data: Path) -> set[str]:
    with closing(open_store(data)) as store:
        found = {identity._of(file)[0] for file in store.files}
    assert len(found) == 1
    return found


def test_a_damaged_file_is_no_missing_one(data: Path) -> None:
    remove(data, "work")
    (data / "work.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreUnavailable):
        open_store(data)


@pytest.mark.parametrize("name", ["targets", "deliveries", "statements"])
def test_a_database_that_lacks_a_collection_is_refused_until_it_is_migrated(mongo_server: Mongo, mongo_place: str, name: str) -> None:
    filled(mongo_place)
    database = mongo_server.client[mongo_place.partition("?")[0].rpartition("/")[2]]
    database.drop_collection(name)
    with pytest.raises(Lost, match=f"gone: {name}"):
        open_store(mongo_place)
    told = CliRunner(env={"LRS_STORE": mongo_place}).invoke(command, ["verify"])
    assert told.exit_code == 1
    assert name in told.output
    assert CliRunner(env={"LRS_STORE": mongo_place}).invoke(command, ["migrate"]).exit_code == 0
    with closing(open_store(mongo_place)) as store:
        store.work.targets()
