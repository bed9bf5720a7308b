"""Real servers that a campaign silences, kills and starts again: MongoDB's, on its files, and Redis, empty."""
from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from campaign.served import free_port, listens, must, until

CACHE = Path.home() / ".cache" / "concord-lrs"
PLACES = (CACHE / "bin", CACHE / "rs" / "bin", Path(sys.executable).parent, CACHE / "secantusdb" / "bin")
KINDS = ("mongod", "secantusd-rs", "secantusd-py")


class Mongo:
    """A replica set of one node, durable at every commit, with an empty database `lrs`."""

    def __init__(self, folder: Path, log: IO[bytes]) -> None:
        """Raises `Broken` where there is no server on PATH nor where the tests keep theirs."""
        path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, PLACES)])
        self.kind, program = next(((kind, found) for kind in KINDS if (found := shutil.which(kind, path=path))), ("", ""))
        must(program, f"none of {', '.join(KINDS)} is on PATH: see docs/mongodb.md")
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self._log = free_port(), log
        own = ["--dbpath", str(folder), "--bind_ip", "127.0.0.1", "--replSet", "rs0"] if self.kind == "mongod" else \
            ["--storage-path", str(folder), "--host", "127.0.0.1", "--sync-on-commit"]
        self._command = [program, "--port", str(self.port), *own]
        self.start()

    @property
    def url(self) -> str:
        """The address of the database."""
        return self.database("lrs")

    def database(self, name: str) -> str:
        """The address of another one."""
        return f"mongodb://127.0.0.1:{self.port}/{name}?replicaSet={'rs0' if self.kind == 'mongod' else 'secantus'}"

    def start(self) -> None:
        """Start it; returns when it takes writes."""
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
                                         env={**os.environ, "RUST_LOG": "error"})
        until(self._writable, 60, f"{self.kind} takes writes")

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait()

    def _writable(self) -> bool:
        url = f"mongodb://127.0.0.1:{self.port}/?directConnection=true"
        with MongoClient[dict[str, object]](url, serverSelectionTimeoutMS=500) as client, contextlib.suppress(PyMongoError):
            if client.admin.command("hello").get("isWritablePrimary"):
                return True
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": f"127.0.0.1:{self.port}"}]})
        return False


class Redis:
    """A redis-server that can be made silent, killed, and started again with nothing in it."""

    def __init__(self, folder: Path, log: IO[bytes]) -> None:
        found = shutil.which("redis-server")
        must(found, "redis-server is not on PATH: apt-get install redis-server")
        self.port, self._log = free_port(), log
        self._command = [str(found), "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", str(folder)]
        self.start()

    @property
    def url(self) -> str:
        """Its address for Celery."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty: whatever was in it is lost."""
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        until(lambda: listens(self.port), 10, "redis listens")

    def hole(self) -> None:
        """From now on it takes connections and answers nothing (SIGSTOP)."""
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait()
