"""The data of attachments in MongoDB, in pieces, named by their hash."""
from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any

from bson import Int64
from pymongo import ReplaceOne

from lrs.errors import StoreUnavailable
from lrs.store.mongo.database import Calls, Database, Document, Layout, Write

FILES, PIECES = "attachments", "attachment_pieces"
LAYOUT = Layout({FILES: {}, PIECES: {}})
PIECE = 64 * 1024
AT_ONCE = 32
"""Pieces sent in one call: 2 MiB."""
_SHA2 = re.compile(r"[0-9a-f]{56,128}\Z")


class StagedPieces:
    """`lrs.store.protocols.attachments.Staged` as a nameless file of this machine, until it is kept."""

    def __init__(self, database: Database, file: IO[bytes], sha2: str, matches: bool) -> None:
        self._database, self._file, self._sha2, self._matches = database, file, sha2, matches
        self._kept = False

    @property
    def matches(self) -> bool:
        """Whether its bytes have the hash under which it came."""
        return self._matches

    def head(self, size: int) -> bytes:
        """Its first bytes, at most `size`."""
        self._file.seek(0)
        return self._file.read(size)

    def keep(self) -> None:
        """Keep it for good: the pieces first, then the document that says it is here. Done twice, it is the same."""
        if self._kept:
            return
        with self._database.read() as calls:
            there = calls.one(FILES, {"_id": self._sha2}) is not None
        if not there:
            self._send()
        self._kept = True

    def _send(self) -> None:
        self._file.seek(0)
        size = n = 0
        while pieces := list(islice(iter(lambda: self._file.read(PIECE), b""), AT_ONCE)):
            # a transaction each: another process may be keeping the same content, and then one of the two begins again
            self._database.write(partial(Calls.write_each, name=PIECES, writes=[
                _put(f"{self._sha2}:{n + place}", {"data": piece}) for place, piece in enumerate(pieces)]))
            size, n = size + sum(map(len, pieces)), n + len(pieces)
        self._database.write(partial(Calls.write_each, name=FILES, writes=[_put(self._sha2, {"size": Int64(size), "pieces": n})]))

    def discard(self) -> None:
        """Let go of the file of this machine."""
        self._file.close()


class MongoAttachments:
    """`lrs.store.protocols.attachments.Attachments` on MongoDB: what one machine has kept, every machine reads."""

    def __init__(self, database: Database, folder: Path | None = None) -> None:
        """`folder`: of this machine, where data waits until it is kept; unset: the system's place for such."""
        self._database, self._folder = database, folder

    def migrate(self) -> None:
        """Create the collections where they are missing."""
        self._database.migrate(LAYOUT)

    def stage(self, pieces: Iterable[bytes], sha2: str, digest: Any) -> StagedPieces:
        """Receive data into a file of this machine. Raises ValueError for what is no hash."""
        name = _name(sha2)
        with _disk():
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
            file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - it lives until it is discarded
        try:
            for piece in pieces:
                digest.update(piece)
                with _disk():
                    file.write(piece)
            with _disk():
                file.flush()
        except BaseException:
            file.close()
            raise
        return StagedPieces(self._database, file, name, digest.hexdigest() == name)

    def has(self, sha2: str) -> bool:
        """Whether the content is here."""
        return self.size(sha2) is not None

    def size(self, sha2: str) -> int | None:
        """Its bytes; None where it is not here."""
        with self._database.read() as calls:
            found = calls.one(FILES, {"_id": _name(sha2)})
        return int(found["size"]) if found else None

    def read(self, sha2: str) -> Iterator[bytes]:
        """The content in pieces; nothing where it is not here."""
        name = _name(sha2)
        with self._database.read() as calls:
            found = calls.one(FILES, {"_id": name})
        for n in range(found["pieces"] if found else 0):
            # a session each: whoever is sent this may be slow, and a generator may never be ended
            with self._database.read() as calls:
                piece = calls.one(PIECES, {"_id": f"{name}:{n}"})
            if piece is None:
                raise StoreUnavailable(f"piece {n} of attachment {name} is missing")
            yield piece["data"]


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(error) from error


def _put(name: str, fields: Document) -> Write:
    return ReplaceOne({"_id": name}, {"_id": name, **fields}, upsert=True)


def _name(sha2: str) -> str:
    name = sha2.lower()
    if not _SHA2.fullmatch(name):
        raise ValueError(f"{sha2[:80]!r} is no SHA-2 hash")
    return name
