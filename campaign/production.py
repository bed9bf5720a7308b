"""kill -9 of any part of the production path, under load: two web processes, two Celery workers, the beat, Redis, MongoDB."""
from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil

from campaign import kill
from campaign.served import START_SECONDS, Broken, Caller, Served, free_port, until
from campaign.servers import Mongo, Redis

WEIGHTS = {"web": 3, "supervisor": 2, "worker": 4, "beat": 1, "redis": 1, "mongo": 2, "all": 1}
WEBS = WORKERS = 2
ROOT = Path(__file__).parents[1]


def run(folder: Path, seed: int, cycles: int = 60, clients: int = 4, pause: float = 0.05, exports: int = 5) -> str:
    """So many kills; what was seen, as a sentence. Each process has a folder of its own, as if on a machine of its own; Redis comes
    back empty, MongoDB on its files. Raises `Broken`."""
    with contextlib.ExitStack() as stack:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "parts.log"
        log = stack.enter_context(path.open("ab"))
        redis = Redis(folder, log)
        stack.callback(redis.kill)
        fleet = stack.enter_context(running(folder, log, redis))
        try:
            return f"on {fleet.mongo.kind}: " + kill.audited(fleet, folder, seed, cycles, clients, pause, exports, WEIGHTS)
        except BaseException:
            print("".join(path.read_text(errors="replace").splitlines(keepends=True)[-60:]), file=sys.stderr)
            raise


@contextlib.contextmanager
def running(folder: Path, log: IO[bytes], redis: Redis, level: str = "error") -> Iterator[Fleet]:
    """A fleet that is not started yet, on a new MongoDB and this Redis; at the end nothing of it runs on."""
    mongo = Mongo(folder / "mongo", log)
    try:
        fleet = Fleet(folder, log, mongo, redis, level)
        try:
            yield fleet
        finally:
            fleet.stop()
    finally:
        mongo.kill()


class Fleet(Served):
    """An LRS of several processes that share nothing but MongoDB and Redis. A caller talks to the web processes in turn."""

    def __init__(self, folder: Path, log: IO[bytes], mongo: Mongo, redis: Redis, level: str = "error") -> None:
        self.mongo, self._redis = mongo, redis
        super().__init__(folder / "data", log, {"LRS_LOG_LEVEL": level, "LRS_STORE": mongo.url, "LRS_BROKER_URL": redis.url})
        self._folder = folder
        self._ports = [self.port, *(free_port() for _ in range(WEBS - 1))]
        self._parts: dict[str, subprocess.Popen[bytes]] = {}
        self._callers, self._turns = itertools.count(), {who: itertools.count() for who in WEIGHTS}

    def caller(self, timeout: float = 30.0) -> Caller:
        """A connection to one of the web processes."""
        return Caller(self._port(), self.key, self.secret, timeout)

    def sender(self, timeout: float = 30.0) -> Caller:
        """A connection of a credential that stores, to one of the web processes."""
        return Caller(self._port(), *self.sending, timeout)

    def start(self) -> None:
        """Start all that is not running; returns when every web process answers that it is ready."""
        for name, command in self._commands().items():
            if name not in self._parts or self._parts[name].poll() is not None:
                # a machine of its own: nothing is shared by files
                environ = {**self.environ, "LRS_DATA": str(self._folder / name)}
                (self._folder / name).mkdir(exist_ok=True)
                self._parts[name] = subprocess.Popen(command, env=environ, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self._log,
                                                     stderr=self._log)
        self.wait()

    def wait(self) -> None:
        """Until every web process answers that it is ready, which takes workers that are at work."""
        for port in self._ports:
            until(lambda port=port: self._answers(port), 2 * START_SECONDS, f"the web process on {port} is ready",
                  lambda port=port: self._said(port))

    def kill(self, who: str) -> None:
        """kill -9 of a part, of one of a kind by turns, or of all but MongoDB and Redis; returns when all is well again."""
        number = next(self._turns[who])
        if who in ("redis", "mongo"):
            part = self._redis if who == "redis" else self.mongo
            part.kill()
            part.start()
        elif who == "web":
            self._slay(psutil.Process(self._parts[f"web-{number % WEBS}"].pid).children(recursive=True))
        else:
            names = {"supervisor": [f"web-{number % WEBS}"], "worker": [f"worker-{number % WORKERS}"], "beat": ["beat"],
                     "all": list(self._parts)}[who]
            for name in names:
                process = psutil.Process(self._parts[name].pid)
                self._slay([process, *process.children(recursive=True)])
                self._parts[name].wait(10)
        self.start()

    def stop(self) -> None:
        """Stop all of it in good order, else by force."""
        for process in self._parts.values():
            process.terminate()
        for process in self._parts.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                self._slay([psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)])

    def _commands(self) -> dict[str, list[str]]:
        celery = [str(Path(sys.executable).with_name("celery")), "-A", "workers.app"]
        webs = {f"web-{n}": [sys.executable, "-m", "lrs", "serve", "--port", str(port)] for n, port in enumerate(self._ports)}
        workers = {f"worker-{n}": [*celery, "worker", "-n", f"w{n}@{os.uname().nodename}"] for n in range(WORKERS)}
        return {**webs, **workers, "beat": [*celery, "beat"]}

    def _port(self) -> int:
        return self._ports[next(self._callers) % WEBS]

    def _slay(self, processes: list[psutil.Process]) -> None:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _answers(self, port: int) -> bool:
        for name, process in self._parts.items():
            if process.poll() is not None:
                raise Broken(f"{name} ended by itself with {process.returncode}; see the log above")
        return self._said(port).startswith("200")

    def _said(self, port: int) -> str:
        line = Caller(port, self.key, self.secret, 15)
        try:
            return str(line("GET", "/health/ready"))
        except (OSError, http.client.HTTPException) as fault:
            return str(fault)
        finally:
            line.close()
