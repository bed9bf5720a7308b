"""Who has a folder to himself: one `lrs serve`, or a move, holds its lock for as long as it runs; the kernel frees it."""
from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

LOCK = "serve.lock"


@dataclass(frozen=True, slots=True)
class Address:
    """Where an `lrs serve` listens, and how clients reach it."""

    host: str
    port: int
    public_url: str


@contextmanager
def held(folder: Path, address: Address | None = None) -> Iterator[None]:
    """Hold it, and leave word of the `address` that it is served at. Raises BlockingIOError where another process does, any other
    OSError where the folder cannot be used."""
    # not "w": who comes in vain must not take away what the holder has written
    with (folder / LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if address is not None:
            file.truncate(0)
            file.write(json.dumps(asdict(address)))
            file.flush()
        yield


def last_address(folder: Path) -> Address | None:
    """Where the folder is served, or was the last time; None where it never was, or that cannot be read."""
    try:
        return Address(**json.loads((folder / LOCK).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def is_held(folder: Path) -> bool:
    """Whether a process holds it. Raises OSError where that cannot be told."""
    try:
        with (folder / LOCK).open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
