"""Content of a document that waits in a file without a name while it is on its way, so that memory holds one piece of it."""
from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import IO

from lrs.errors import StoreUnavailable
from lrs.statements.documents import PIECE


class Spooled:
    """`lrs.statements.documents.Large` in an open file, which goes when nobody holds this any more."""

    def __init__(self, file: IO[bytes], size: int, sha1: str = "") -> None:
        self._file, self.size = file, size
        if sha1:
            self.__dict__["sha1"] = sha1

    @cached_property
    def sha1(self) -> str:
        """SHA-1 of the bytes, lower-case hex; read once."""
        digest = hashlib.sha1(usedforsecurity=False)
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()

    def pieces(self) -> Iterator[bytes]:
        """All of it, from the beginning."""
        for start in range(0, self.size, PIECE):
            self._file.seek(start)  # another walk may be under way
            yield self._file.read(PIECE)


def spooled(pieces: Iterable[bytes], folder: Path | None = None, sha1: str = "") -> Spooled:
    """Put the pieces into a file (of `folder`, else of the system's place for such). Raises `StoreUnavailable` where the disk
    does not take them; what `pieces` raises is raised."""
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it lives as long as the content
        size = 0
        for piece in pieces:
            size += file.write(piece)
        file.flush()
    except OSError as error:
        raise StoreUnavailable(error) from error
    return Spooled(file, size, sha1)
