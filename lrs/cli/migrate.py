"""`lrs migrate`: the tables of the data directory, created or brought up to date."""
from __future__ import annotations

import click

from lrs.cli.opened import opened
from lrs.config import Settings


@click.command("migrate")
@click.pass_obj
def command(settings: Settings) -> None:
    """Create or renew the tables in the data directory; doing it twice changes nothing."""
    with opened(settings) as store:
        store.migrate()
    click.echo(f"{settings.data.resolve()} is up to date")
