"""What a command works on and as whom: the store, opened, migrated and closed at the end, and the name for the audit log."""
from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

import click

from lrs.config import Settings
from lrs.errors import NotFound, StoreUnavailable, WrongState
from lrs.services import store_of
from lrs.store.open_store import Store
from lrs.store.sqlite.whole import is_there


class BadInput(click.ClickException):
    """What a file holds is not what it should be: a sentence, and exit code 65 (EX_DATAERR)."""

    exit_code = 65


@contextmanager
def opened(settings: Settings, *, first: bool = False) -> Iterator[Store]:
    """The settings' store; where there is none it is created, and said so, if this may be the `first` time. Safe beside running
    processes. What is not there, or not in the state for it, ends the command with a sentence and exit code 1."""
    # a folder that was mistyped must not look like an LRS to which nothing ever happened
    try:
        new = not settings.store and not is_there(settings.data)
    except OSError as error:
        raise StoreUnavailable(error) from error
    if new and not first:
        raise click.ClickException(f"{settings.shown_place} holds no store; say where it is with --data or LRS_DATA")
    store = store_of(settings, first=first)
    if new:
        click.echo(f"lrs: there was no store in {settings.shown_place}; a new one is made", err=True)
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
