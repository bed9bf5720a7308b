"""A real MongoDB-wire server for tests: by URL, mongod, or SecantusDB; found, started on a free port, stopped by its pid."""
from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from real_parts import CACHE, Part, free_port

INSTALL = (
    "No MongoDB server was found, and the MongoDB cases did not run. Any of these is one:\n"
    "  LRS_TEST_MONGO_URL=mongodb://… (a replica set), mongod or secantusd-rs on PATH, or\n"
    f"  python3 -m venv {CACHE.parent / 'secantusdb'} && {CACHE.parent / 'secantusdb'}/bin/pip install secantusdb==0.7.0b3\n"
    "  cargo +nightly install secantus-mdb --version 0.5.3-beta.193 --ignore-rust-version   (five times as fast; needs ten minutes)\n"
    f"  and its secantusd-rs put into {CACHE}"
)
SECANTUS = ("--host", "127.0.0.1", "--enable-test-commands", "--sync-on-commit", "--storage-path")


def found() -> tuple[str, str] | None:
    """(kind, path) of the program that tests would start; None if there is none."""
    folders = (CACHE, Path(sys.executable).parent, CACHE.parent / "secantusdb" / "bin")
    places = os.pathsep.join([os.environ.get("PATH", ""), *map(str, folders)])
    for kind in ("mongod", "secantusd-rs", "secantusd-py"):
        if path := shutil.which(kind, path=places):
            return kind, path
    return None


class Mongo:
    """A server with the commands for faults switched on; `url` is a replica set's, with room for a database's name."""

    def __init__(self, folder: Path, *, standalone: bool = False) -> None:
        """Where there is no server, fails the test in CI, and elsewhere skips it and says how to get one."""
        self.part: Part | None = None
        self.folder, self._standalone = folder, standalone
        self._given = None if standalone else os.environ.get("LRS_TEST_MONGO_URL")
        if self._given:
            self._url = self._given
        else:
            program = found()
            if program is None:
                (pytest.fail if os.environ.get("CI") else pytest.skip)(INSTALL)
            self._kind, self._path = program
            self.port = free_port()
            name = "rs0" if self._kind == "mongod" else "secantus"
            # polled: after a fail point's "not primary" nothing changes that SecantusDB would tell a driver that listens
            self._url = f"mongodb://127.0.0.1:{self.port}/?serverMonitoringMode=poll" + ("" if standalone else f"&replicaSet={name}")
            self.start()
        self.client: MongoClient[dict[str, object]] = MongoClient(self._url, serverSelectionTimeoutMS=15_000)
        about = self.client.server_info()
        self.name = f"{'by URL' if self._given else self._kind} {about['version']}"

    def url(self, database: str) -> str:
        """The URL of a database of this server."""
        place, _, options = self._url.partition("?")
        return f"{place.rstrip('/')}/{database}?{options}"

    def drop(self, database: str) -> None:
        """Leave nothing behind on a server that is not ours; ours goes with its folder."""
        if self._given:
            self.client.drop_database(database)

    def start(self) -> None:
        """Start it, on the same folder and port as before; returns when it takes writes."""
        data = self.folder / "mongo"
        data.mkdir(exist_ok=True)
        if self._kind == "mongod":
            command = ["--bind_ip", "127.0.0.1", "--port", str(self.port), "--dbpath", str(data), "--setParameter", "enableTestCommands=1",
                       *([] if self._standalone else ["--replSet", "rs0"])]
        else:
            command = [*SECANTUS, str(data), "--port", str(self.port), *(["--standalone"] if self._standalone else [])]
        self.part = Part([self._path, *command], self.folder, "mongo")
        self.part.ready(self._writable, 60)

    def _writable(self) -> bool:
        url = f"mongodb://127.0.0.1:{self.port}/?directConnection=true"
        with MongoClient[dict[str, object]](url, serverSelectionTimeoutMS=500) as client:
            try:
                if client.admin.command("hello").get("isWritablePrimary"):
                    return True
                client.admin.command("replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": f"127.0.0.1:{self.port}"}]})
            except PyMongoError:
                pass
            return False

    def stop(self) -> None:
        """Close the client, and stop the server where it is ours."""
        self.client.close()
        if self.part is not None:
            self.part.stop()
