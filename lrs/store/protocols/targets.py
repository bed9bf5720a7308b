"""What a store promises about targets: the systems that events are delivered to."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class StoredTarget:
    """A configured receiver. `state` is active | paused | disabled, `why` says what stopped it.

    `settings` are the connector's own. `settings["source"]` names the provider that this system sends statements as:
    an event whose only evidence came from there is not sent back to it.
    """

    name: str
    connector: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    state: str = "active"
    why: str = ""


class Targets(Protocol):
    """Receivers by name. Paused ones go on collecting deliveries; disabled ones do not."""

    def add_target(self, target: StoredTarget) -> None:
        """Store, or replace the one with this name (its state becomes what is given)."""
        ...

    def target(self, name: str) -> StoredTarget | None:
        """The target with this name."""
        ...

    def targets(self) -> list[StoredTarget]:
        """All of them, by name."""
        ...

    def set_target_state(self, name: str, state: str, why: str = "") -> bool:
        """Make it active, paused or disabled; False if there is no such target."""
        ...
