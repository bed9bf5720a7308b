"""The store that a command works on: opened, migrated, and closed at the end."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lrs.config import Settings
from lrs.store.open_store import Store, open_store


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The settings' store; created where there is none. Safe beside running processes."""
    store = open_store(str(settings.data))
    try:
        yield store
    finally:
        store.close()
