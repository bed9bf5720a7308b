"""What a command works on and as whom: the store, opened, migrated and closed at the end, and the name for the audit log."""
from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

import click

from lrs.config import Settings
from lrs.errors import NotFound, WrongState
from lrs.services import store_of
from lrs.store.open_store import Store


@contextmanager
def opened(settings: Settings, *, first: bool = True) -> Iterator[Store]:
    """The settings' store; created where there is none, if it may be the `first` time. Safe beside running processes. What is not
    there, or not in the state for it, ends the command with a sentence and exit code 1."""
    store = store_of(settings, first=first)
    try:
        yield store
    except (NotFound, WrongState) as error:
        raise click.ClickException(str(error)) from error
    finally:
        store.close()


def no_server(settings: Settings, instead: str) -> None:
    """End a command that works on files where the store is a server's, with what does it there."""
    if settings.store:
        raise click.ClickException(f"the store is {settings.shown_place}, and this command knows SQLite files only: {instead}")


def who() -> str:
    """Who asks, for the audit log."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):  # a user id without a name
        return "cli:unknown"
