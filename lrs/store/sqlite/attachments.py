"""The data of attachments as files beside the SQLite files, named by their hash."""
from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lrs.errors import StoreUnavailable

PIECE = 64 * 1024
_SHA2 = re.compile(r"[0-9a-f]{56,128}\Z")


class StagedFile:
    """`lrs.store.protocols.attachments.Staged` as a file in the folder's own `incoming`."""

    def __init__(self, file: Path, place: Path, matches: bool) -> None:
        self._file, self._place, self._matches = file, place, matches

    @property
    def matches(self) -> bool:
        """Whether its bytes have the hash under which it came."""
        return self._matches

    def head(self, size: int) -> bytes:
        """Its first bytes, at most `size`."""
        with self._reading() as file:
            return bytes(file.read(size))

    def keep(self) -> None:
        """Keep it for good: synced, then renamed into place."""
        if self._place.exists():
            return
        try:
            with self._file.open("rb") as file:
                os.fsync(file.fileno())
            self._place.parent.mkdir(parents=True, exist_ok=True)
            os.rename(self._file, self._place)
            for folder in (self._place.parent, self._place.parent.parent):
                _sync(folder)
        except OSError as error:
            raise StoreUnavailable(error) from error

    def discard(self) -> None:
        """Let go of it, unless it was kept."""
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Any]:
        try:
            with (self._place if self._place.exists() else self._file).open("rb") as file:
                yield file
        except OSError as error:
            raise StoreUnavailable(error) from error


class FileAttachments:
    """`lrs.store.protocols.attachments.Attachments` in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def migrate(self) -> None:
        """Nothing to do: folders are made when they are needed."""

    def stage(self, pieces: Iterable[bytes], sha2: str, digest: Any) -> StagedFile:
        """Receive data into a file of its own. Raises ValueError for what is no hash."""
        place, incoming = self._place(sha2), self._folder / "incoming"
        try:
            incoming.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=incoming)
        except OSError as error:
            raise StoreUnavailable(error) from error
        try:
            with os.fdopen(descriptor, "wb") as file:
                for piece in pieces:
                    digest.update(piece)
                    file.write(piece)
        except BaseException as error:
            Path(name).unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise StoreUnavailable(error) from error
            raise
        return StagedFile(Path(name), place, digest.hexdigest() == sha2.lower())

    def has(self, sha2: str) -> bool:
        """Whether the content is here."""
        return self._place(sha2).exists()

    def size(self, sha2: str) -> int | None:
        """Its bytes; None where it is not here."""
        try:
            return self._place(sha2).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, sha2: str) -> Iterator[bytes]:
        """The content in pieces; nothing where it is not here."""
        try:
            with self._place(sha2).open("rb") as file:
                while piece := file.read(PIECE):
                    yield piece
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreUnavailable(error) from error

    def _place(self, sha2: str) -> Path:
        name = sha2.lower()
        if not _SHA2.fullmatch(name):
            raise ValueError(f"{sha2[:80]!r} is no SHA-2 hash")
        return self._folder / name[:2] / name


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
