"""Who has a folder to himself: one `lrs serve`, or a move, holds its lock for as long as it runs; the kernel frees it."""
from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = "serve.lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold it. Raises BlockingIOError where another process does, any other OSError where the folder cannot be used."""
    with (folder / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


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
