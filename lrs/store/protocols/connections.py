"""What a store promises about connections: the outside sources whose webhooks and reports come in."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Connection:
    """A source of live sessions. `name` is the last part of its hook's address and the id of what it sends;
    `credential` the key of the credential whose authority and provider its statements carry; `settings` what its
    source's schema asks for (secrets included); `state` active | paused. `created` is µs since 1970 UTC."""

    name: str
    source: str
    credential: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    state: str = "active"
    created: int = 0


class Connections(Protocol):
    """Every method may raise `StoreUnavailable`."""

    def create(self, connection: Connection) -> bool:
        """Store it, durable on return; False (and nothing changed) if its name is taken."""
        ...

    def by_name(self, name: str) -> Connection | None:
        """The connection of this name, paused ones included."""
        ...

    def list(self) -> list[Connection]:
        """All of them, by name."""
        ...

    def change(self, name: str, *, settings: Mapping[str, Any] | None = None, state: str | None = None,
               before: Mapping[str, Any] | None = None) -> bool:
        """Replace its settings, its state, or both; False if there is none, or if its settings are not `before` any more,
        where that is given: somebody else has changed them since they were read."""
        ...
