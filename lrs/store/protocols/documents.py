"""What a store promises about documents."""
from __future__ import annotations

from typing import Protocol

from lrs.statements.documents import Decide, Document, Key


class Documents(Protocol):
    """State and profile documents. Every method may raise `StoreUnavailable`."""

    def get(self, key: Key) -> Document | None:
        """The document that stands there."""
        ...

    def change(self, key: Key, decide: Decide) -> Document | None:
        """Put there what `decide` makes of what stands there, as one step that nobody can come between; durable on
        return. What `decide` raises changes nothing and is raised. `updated` is the store's."""
        ...

    def ids(self, key: Key, since: int | None = None, *, any_registration: bool = False) -> dict[str, int]:
        """The ids of all documents at the key (its `id` aside), written after `since` (µs, exclusive), sorted, each with when it
        was last written (µs). `any_registration`: whatever their registration."""
        ...

    def delete_all(self, key: Key, *, any_registration: bool = False) -> int:
        """Remove all documents at the key (its `id` aside); how many there were."""
        ...
