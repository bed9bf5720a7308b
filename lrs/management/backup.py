"""A backup of the embedded store while it runs: a folder or an archive that is there whole, or not at all."""
from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from lrs.errors import Damaged, NotFound, StoreUnavailable, WrongState
from lrs.management.audit import audited
from lrs.services import now_us
from lrs.statements.instants import printed
from lrs.store.open_store import Store, Told, nobody
from lrs.store.sqlite import copies

FORMAT = 1
MANIFEST = "manifest.json"
ARCHIVES = {".tar.gz": True, ".tgz": True, ".tar": False}
"""How a name ends that stands for an archive, and whether that is packed."""
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class File:
    """A file of a backup: its name within, its bytes, their SHA-256."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. Every statement stored up to `consistent_through` is in it, and so is every one that was acknowledged
    before `began`; `feed` is the last row of the feed; `counts` are rows by table."""

    lrs: str
    began: str
    ended: str
    consistent_through: str
    last_statement: str
    feed: int
    counts: dict[str, int]
    files: tuple[File, ...]
    format: int = FORMAT

    def text(self) -> bytes:
        """As it stands in the backup."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()


class _Into(Protocol):
    def put(self, source: Path, name: str) -> File: ...
    def close(self) -> Path: ...


def write(store: Store, data: Path, to: Path, *, who: str, told: Told = nobody,
          check: Callable[[Path, Path], object] | None = None) -> Manifest:
    """Copy the store in `data` to a new folder, or to an archive where `to` is named so (ARCHIVES), and give it that name when it is
    whole, durable, and `check(backup, an empty place)` had nothing to say. Others go on reading and writing.

    Raises `WrongState` where `to` is there already, `Damaged` where a file of the store is, OSError where it cannot be written,
    `StoreUnavailable`.
    """
    if to.exists() or to.is_symlink():
        raise WrongState(f"{to} is there already; a backup replaces nothing")
    with _logged(store, who, to), part_of(to) as part:
        packed = next((packed for end, packed in ARCHIVES.items() if to.name.endswith(end)), None)
        into: _Into = _Folder(part / "backup") if packed is None else _Archive(part / "archive", packed)
        manifest = _fill(into, store, data, part, told)
        file = part / MANIFEST
        file.write_bytes(manifest.text())
        into.put(file, MANIFEST)  # the last thing: what was cut off has none
        made = into.close()
        if check is not None:
            told("checking", 0.0)
            check(made, part / "tried")
        if to.exists():
            raise WrongState(f"{to} came into being meanwhile; a backup replaces nothing")
        os.rename(made, to)
        copies.sync(to.parent)
    return manifest


def _fill(into: _Into, store: Store, data: Path, part: Path, told: Told) -> Manifest:
    began, through, last = now_us(), 0, 0
    files: list[File] = []
    counts: dict[str, int] = {}
    databases = {file.path.name: file for file in store.files}
    for name in copies.COUNTED:
        if name == "statements.db":
            through = store.statements.consistent_through()  # before the snapshot, which then holds all up to here
        staged = part / name
        copies.copy(databases[name], staged, partial(_share, told, name))
        told(f"checking {name}", 0.0)
        if wrong := copies.faults(staged, quick=True):
            raise Damaged(f"the store's {databases[name].path} is damaged, and no backup was made of it: {'; '.join(wrong)}. Keep the data "
                          "directory as it is, and the backups that you have (docs/backup.md)")
        counts |= copies.counts(staged)
        if name == "statements.db":
            last = copies.last_seq(staged)
        files.append(into.put(staged, name))
        staged.unlink()
    # after the statements: what one of them names was there before it was stored, and nothing takes it away
    attachments = sorted((data / "attachments").glob("[0-9a-f][0-9a-f]/*"))
    for n, one in enumerate(attachments):
        told("attachments", n / len(attachments))
        files.append(into.put(one, f"attachments/{one.parent.name}/{one.name}"))
    return Manifest(version("concord-lrs"), printed(began), printed(now_us()), printed(through), printed(last) if last else "",
                    counts["feed"], counts, tuple(files))


def _share(told: Told, name: str, done: int, total: int) -> None:
    told(name, done / max(1, total))


class _Folder:
    """A backup as a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700)

    def put(self, source: Path, name: str) -> File:
        """Take a copy of the file in."""
        place = self._folder / name
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with source.open("rb") as read, place.open("xb") as written:
            os.fchmod(written.fileno(), 0o600)
            digest = hashlib.sha256()
            while piece := read.read(PIECE):
                digest.update(piece)
                written.write(piece)
            written.flush()
            os.fsync(written.fileno())
            return File(name, written.tell(), digest.hexdigest())

    def close(self) -> Path:
        """The folder, durable."""
        for folder, _, _ in os.walk(self._folder):
            copies.sync(Path(folder))
        return self._folder


class _Archive:
    """A backup as a tar file."""

    def __init__(self, file: Path, packed: bool) -> None:
        self._file = file
        self._raw = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._packed: Any = gzip.GzipFile(fileobj=self._raw, mode="wb", compresslevel=3) if packed else self._raw
        self._tar = tarfile.TarFile(fileobj=self._packed, mode="w")

    def put(self, source: Path, name: str) -> File:
        """Take the file in."""
        with source.open("rb") as read:
            entry = self._tar.gettarinfo(arcname=name, fileobj=read)
            entry.mode, entry.uid, entry.gid, entry.uname, entry.gname = 0o600, 0, 0, "", ""
            hashed = _Hashed(read)
            self._tar.addfile(entry, hashed)
        return File(name, entry.size, hashed.digest.hexdigest())

    def close(self) -> Path:
        """The file, durable."""
        self._tar.close()
        if self._packed is not self._raw:
            self._packed.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()
        return self._file


class _Hashed:
    """A file that knows what was read of it."""

    def __init__(self, file: Any) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """As of the file."""
        piece: bytes = self._file.read(size)
        self.digest.update(piece)
        return piece


@contextlib.contextmanager
def part_of(final: Path) -> Iterator[Path]:
    """A folder beside `final` to make it in, gone at the end. What a killed process left of one is removed; never that of one that
    lives. Raises `NotFound` where the parent folder is missing."""
    final = final.absolute()
    if not final.parent.is_dir():
        raise NotFound(f"there is no folder {final.parent}")
    for left in final.parent.glob(f".{final.name}.*.part"):
        with contextlib.suppress(OSError), _held(left):
            shutil.rmtree(left)
    part = final.parent / f".{final.name}.{os.getpid()}.part"
    part.mkdir(mode=0o700)
    try:
        with _held(part):
            yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _logged(store: Store, who: str, to: Path) -> Iterator[None]:
    """In the audit log, where that can be written: a full disk is no reason to have no backup."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(StoreUnavailable):
            stack.enter_context(audited(store, who, "backup.write", str(to)))
        yield
