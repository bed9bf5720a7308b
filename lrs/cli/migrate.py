"""`lrs migrate`: tables, collections and indexes, created or brought up to date."""
from __future__ import annotations

import click

from lrs.cli.opened import opened
from lrs.cli.progress import steps
from lrs.config import Settings


@click.command("migrate")
@click.pass_obj
def command(settings: Settings) -> None:
    """Create or renew what the store needs, safe beside running processes; doing it twice changes nothing.

    SQLite files are brought up to date by whatever opens them; a MongoDB database by this command only, but for one that is empty.
    """
    with steps("migrate") as told:
        if settings.store:
            # not opened: what must be migrated first is refused there
            from lrs.store.mongo.whole import migrate

            migrate(settings.store, told)
        else:
            with opened(settings, first=True) as store:
                store.migrate(told)
    click.echo(f"{settings.shown_place} is up to date")
