"""Opens the store that a URL or a folder names: one object with a part for each protocol."""
from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lrs.errors import WrongState
from lrs.store.protocols.attachments import Attachments
from lrs.store.protocols.audit import Audit
from lrs.store.protocols.connections import Connections
from lrs.store.protocols.copied import Copied
from lrs.store.protocols.credentials import Credentials
from lrs.store.protocols.definitions import Definitions
from lrs.store.protocols.directory import Directory
from lrs.store.protocols.documents import Documents
from lrs.store.protocols.examined import ExaminedStatements, ExaminedWork
from lrs.store.protocols.heartbeats import Heartbeats
from lrs.store.protocols.mappings import Mappings
from lrs.store.protocols.payloads import Payloads
from lrs.store.protocols.rejections import Rejections
from lrs.store.protocols.sessions import Sessions
from lrs.store.protocols.statements import Statements
from lrs.store.protocols.work import Work

Told = Callable[[str, float], None]
"""Is told what is being done, and the share of it (0 to 1) that is done."""
SERVERS = ("mongodb://", "mongodb+srv://")
FILES = "sqlite://"
KNOWN = "a folder, sqlite:///folder, mongodb://host/database or mongodb+srv://host/database"


class LogOfStatements(Statements, ExaminedStatements, Protocol):
    """The log of statements, which shows itself to whoever checks it too."""


class WorkSide(Work, ExaminedWork, Protocol):
    """The worker's side, which shows itself to whoever checks it too."""


def nobody(what: str, share: float) -> None:
    """Is told, and shows it to nobody."""


@dataclass(frozen=True, slots=True)
class Store:
    """The parts of an open store. Safe to use from many threads; other processes may have the same one open.

    `shared`: workers on other machines may be at work on it. `files`: the SQLite files behind it, none where it is a server's.
    `version` gives something that is another one whenever there may be something to do, and may be asked many times a second.
    `migrate` creates what is missing and does nothing when done before; `close` writes what is buffered, and the store is of no use
    afterwards.
    """

    statements: LogOfStatements
    directory: Directory
    credentials: Credentials
    connections: Connections
    audit: Audit
    documents: Documents
    definitions: Definitions
    attachments: Attachments
    mappings: Mappings
    work: WorkSide
    sessions: Sessions
    heartbeats: Heartbeats
    rejections: Rejections
    payloads: Payloads
    copied: Copied
    shared: bool
    files: tuple[Any, ...]
    version: Callable[[], Hashable]
    migrate: Callable[[Told], None]
    close: Callable[[], None]


def is_server(place: str | Path) -> bool:
    """Whether it names a server's database, not a folder."""
    return str(place).startswith(SERVERS)


def open_store(place: str | Path, incoming: Path | None = None, *, first: bool = True, moving: bool = False) -> Store:
    """Open the store in a folder or of a URL (`KNOWN`), ready to use. `incoming`: a folder of this machine for what is on its
    way into a server; unset: the system's for such. `first` False: nothing is created where there is none, and `NotFound` raised.

    Files are created and migrated where they must be. A server's database is so only where it is empty; else `lrs migrate` does it,
    and until then this raises `WrongState`, as for one that a later version has migrated. Raises `StoreUnavailable` where the
    folder cannot be used or the server does not answer, `WrongState` where `lrs move` has not moved all into it yet (unless `moving`),
    ValueError for a place of another kind.
    """
    store = _opened(str(place), incoming, first)
    if not moving and store.copied.marked() is not None:
        store.close()
        raise WrongState("a move into this store is not finished: run the same `lrs move` again, it goes on where it was")
    return store


def _opened(text: str, incoming: Path | None, first: bool) -> Store:
    if is_server(text):
        # imported here: whoever keeps files shall not wait for the driver
        from lrs.store.mongo.whole import opened

        return opened(text, incoming, first=first)
    if "://" in text and not text.startswith(f"{FILES}/"):
        # a URL may hold a password
        raise ValueError(f'"{text.split("://")[0]}://…" is no store this version knows; give {KNOWN}')
    from lrs.store.sqlite.whole import opened as opened_files

    return opened_files(Path(text.removeprefix(FILES)), first=first)
