"""The data of attachments as files beside the SQLite files, named by their hash."""
from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lrs.errors import StoreUnavailable

PIECE = 64 * 1024
_SHA2 = re.compile(r"[0-9a-f]{56,128}\Z")


class FileAttachments:
    """`lrs.store.protocols.attachments.Attachments` in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def migrate(self) -> None:
        """Nothing to do: folders are made when they are needed."""

    def put(self, sha2: str, content: bytes) -> None:
        """Keep the content, durable on return: written aside, then renamed into place."""
        place = self._place(sha2)
        if place.exists():
            return
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=place.parent, prefix=".new-", delete=False) as file:
                try:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                    os.rename(file.name, place)
                except BaseException:
                    with contextlib.suppress(OSError):
                        os.unlink(file.name)
                    raise
            for folder in (place.parent, self._folder):
                _sync(folder)
        except OSError as error:
            raise StoreUnavailable(error) from error

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
