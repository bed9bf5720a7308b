"""From a backup to a data folder: checked whole before anything is put in place."""
from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from lrs.errors import Damaged, NotFound, WrongState
from lrs.management.backup import FORMAT, MANIFEST, PIECE, File, Manifest, part_of
from lrs.services import now_us
from lrs.store.open_store import Told, nobody
from lrs.store.sqlite import copies, served

_MEMBER = re.compile(r"(?:work|statements|payloads|rejections)\.db|attachments/([0-9a-f]{2})/\1[0-9a-f]{54,126}|manifest\.json")
MOST_TOLD = 20


def write(source: Path, data: Path, *, not_before: int = 0, dry: bool = False, told: Told = nobody) -> Manifest:
    """Put what a backup (folder or archive) holds into `data`, which must be empty or missing; `dry` only checks it. The folder gets its
    name when everything in it is as the manifest says and durable.

    No statement that comes later has a `stored` at or before now, or `not_before` (µs), whatever the machine's clock does then.
    Raises `Damaged` with all that is wrong, `NotFound`, `WrongState` for a folder that is in use or not empty, OSError.
    """
    if not source.exists():
        raise NotFound(f"there is no backup {source}")
    if not dry:
        _must_be_free(data)
    with part_of(data) as part:
        made = part / "data"
        manifest = unpacked(source, made, told)
        if dry:
            return manifest
        copies.begin_after(made / "statements.db", max(now_us(), not_before))
        for folder, _, names in os.walk(made):
            for one in (*names, "."):
                copies.sync(Path(folder) / one)
        os.rename(made, data)  # fails where somebody has put something there meanwhile
        copies.sync(data.absolute().parent)
    return manifest


def unpacked(source: Path, into: Path, told: Told = nobody) -> Manifest:
    """Copy a backup into a new folder, and check every file of it. Raises `Damaged`, OSError."""
    into.mkdir(mode=0o700)
    found: dict[str, File] = {}
    text, last = b"", "its beginning"
    try:
        for name, file in _members(source):
            last = name
            if name == MANIFEST:
                text = file.read()
                continue
            told(f"reading {name.partition('/')[0]}", 0.0)
            found[name] = _put(file, into / name, name)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Damaged(f"{source} is cut off or damaged, at {last}: {error}") from error
    manifest = _read(text)
    _same(manifest, found)
    for n, name in enumerate(copies.COUNTED):
        told(f"checking {name}", n / len(copies.COUNTED))
        _sound(into / name, manifest)
    return manifest


def _must_be_free(data: Path) -> None:
    if not data.exists():
        return
    if not data.is_dir():
        raise WrongState(f"{data} is no folder")
    if served.is_held(data):
        raise WrongState(f"an LRS is running on {data}; stop it, and restore to another folder or move this one away")
    if any(data.iterdir()):
        raise WrongState(f"{data} is not empty; a restore replaces nothing: move it away, or restore to another folder")


def _members(source: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The files of a backup with their names. Raises `Damaged` for what is none, and what `tarfile` raises."""
    if source.is_dir():
        for one in sorted(path for path in source.rglob("*") if not path.is_dir()):
            name = one.relative_to(source).as_posix()
            if one.is_symlink() or not _MEMBER.fullmatch(name):
                raise Damaged(f"{source} is no backup: it holds {name[:100]}")
            with one.open("rb") as file:
                yield name, file
        return
    with tarfile.open(source, "r|*") as tar:
        for entry in tar:
            if not entry.isreg() or not _MEMBER.fullmatch(entry.name):
                raise Damaged(f"{source} is no backup: it holds {entry.name[:100]!r}")
            content = tar.extractfile(entry)
            assert content is not None, "a regular file can be read"
            yield entry.name, content


def _put(file: IO[bytes], place: Path, name: str) -> File:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    try:
        written = place.open("xb")
    except FileExistsError:
        raise Damaged(f"{name} is in it twice") from None
    with written:
        os.fchmod(written.fileno(), 0o600)
        while piece := file.read(PIECE):
            digest.update(piece)
            size += written.write(piece)
    return File(name, size, digest.hexdigest())


def _read(text: bytes) -> Manifest:
    if not text:
        raise Damaged("it has no manifest.json: the backup was not finished, or was cut off")
    try:
        value = json.loads(text)
        if value["format"] > FORMAT:
            raise Damaged(f"it was made by a newer version ({value['lrs']}): install that one, restore, and go on from there")
        return Manifest(**value | {"files": tuple(File(**one) for one in value["files"])})
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"its manifest.json cannot be read: {error}") from error


def _same(manifest: Manifest, found: dict[str, File]) -> None:
    listed = {one.name: one for one in manifest.files}
    wrong = [f"{name} is missing" for name in {**listed, **copies.COUNTED} if name not in found]
    wrong += [f"{name} is not in the manifest" for name in found if name not in listed]
    for name in listed.keys() & found.keys():
        if listed[name].bytes != found[name].bytes:
            wrong.append(f"{name} has {found[name].bytes} bytes instead of {listed[name].bytes}")
        elif listed[name].sha256 != found[name].sha256:
            wrong.append(f"{name} is not what it was: its SHA-256 differs")
    _refuse(wrong)


def _sound(file: Path, manifest: Manifest) -> None:
    wrong = [f"{file.name}: {fault}" for fault in copies.faults(file)]
    if not wrong:
        try:
            counted = copies.counts(file)
        except ValueError as error:
            raise Damaged(f"{file.name}: {error}") from error
        wrong = [f"{file.name}: {count} rows in {table} instead of {manifest.counts.get(table)}" for table, count in counted.items()
                 if manifest.counts.get(table) != count]
    _refuse(wrong)


def _refuse(wrong: list[str]) -> None:
    if wrong:
        more = len(wrong) - MOST_TOLD
        raise Damaged("; ".join(sorted(wrong)[:MOST_TOLD]) + (f"; and {more} more" if more > 0 else ""))
