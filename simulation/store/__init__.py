"""The store as a pure model in memory: the protocols of `lrs.store.protocols`, without a file."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lrs.store.protocols.audit import Entry
from lrs.store.protocols.credentials import Credential
from lrs.store.sqlite.clock import Ticks
from simulation.disk import Disk, File
from simulation.store.content import Log, Outgoing
from simulation.store.directory import ModelDirectory
from simulation.store.mappings import ModelMappings
from simulation.store.statements import ModelStatements
from simulation.store.work import ModelWork


@dataclass
class ModelAudit:
    """An audit log that is not examined here."""

    entries: list[Entry] = field(default_factory=list)

    def append(self, entry: Entry) -> int:
        """Keep it."""
        self.entries.append(entry)
        return len(self.entries)


@dataclass
class ModelCredentials:
    """Who may send."""

    known: Sequence[Credential] = ()

    def list(self) -> Sequence[Credential]:
        """All of them."""
        return self.known


class NoAttachments:
    """Statements of the simulation have none."""

    def has(self, sha2: str) -> bool:
        """Nothing is here."""
        return False


@dataclass(eq=False)
class ModelStore:
    """What `lrs.store.open_store.Store` is, for the parts that the path from statement to delivery needs."""

    disk: Disk
    ticks: Ticks
    credentials: ModelCredentials = field(default_factory=ModelCredentials)
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.log, self.outgoing = File(self.disk, Log()), File(self.disk, Outgoing())
        self.statements = ModelStatements(self.log, self.ticks)
        self.directory = ModelDirectory(self.log)
        self.mappings = ModelMappings(self.log, self.ticks.wall)
        self.work = ModelWork(self.outgoing, self.ticks)
        self.audit = ModelAudit()
        self.attachments = NoAttachments()
