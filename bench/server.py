"""Starts what is measured: the product's own web process (and worker), or an endpoint that only parses and answers."""
from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.client import Endpoint
from lrs.auth import credentials
from lrs.serve.supervisor import ALLOCATOR
from lrs.store.open_store import open_store
from lrs.store.protocols.work import TargetRow


@dataclass(frozen=True, slots=True)
class Running:
    """A server under measurement. `web` is the process id of the web process, `data` its folder."""

    endpoint: Endpoint
    web: int
    data: Path


@contextlib.contextmanager
def product(data: Path, *, worker: bool, targets: tuple[TargetRow, ...] = ()) -> Iterator[Running]:
    """The product on this data folder: the web process that `lrs serve` runs, and its worker if wanted."""
    data.mkdir(parents=True, exist_ok=True)
    store = open_store(data)
    made = credentials.create(store.credentials, name="Bench", public_url="http://127.0.0.1", scopes=("all", "feeds/read"))
    for target in targets:
        store.work.add_target(target)
    store.close()
    given = {name: value for name, value in os.environ.items() if not name.startswith("LRS_")}
    environ = ALLOCATOR | given | {"LRS_DATA": str(data)}
    with _listening("lrs.serve.web", environ) as (url, web), _worker(environ if worker else None):
        yield Running(Endpoint(f"{url}/xapi", made.credential.key, made.secret), web, data)


@contextlib.contextmanager
def plain_endpoint() -> Iterator[Running]:
    """The same server and framework, with an endpoint that parses, checks the credential's form, and answers ids."""
    with _listening("bench.plain_endpoint", ALLOCATOR | dict(os.environ)) as (url, web):
        yield Running(Endpoint(f"{url}/xapi", "key", "secret"), web, Path(tempfile.gettempdir()))


@contextlib.contextmanager
def _listening(module: str, environ: dict[str, str]) -> Iterator[tuple[str, int]]:
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    inner, outer = os.pipe()
    process = subprocess.Popen([sys.executable, "-m", module, str(os.getpid()), str(listening.fileno()), str(outer)],
                               env=environ, pass_fds=(listening.fileno(), outer))
    os.close(outer)
    try:
        if os.read(inner, 1) != b"1":
            raise RuntimeError(f"{module} did not start")
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", process.pid
    finally:
        os.close(inner)
        process.terminate()
        process.wait(30)
        listening.close()


@contextlib.contextmanager
def _worker(environ: dict[str, str] | None) -> Iterator[None]:
    if environ is None:
        yield
        return
    process = subprocess.Popen([sys.executable, "-m", "lrs.serve.worker", str(os.getpid())], env=environ)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)
