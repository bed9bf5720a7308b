"""`lrs migrate`: tables, collections and indexes, created or brought up to date."""
from __future__ import annotations

from contextlib import closing

import click

from lrs.cli.opened import no_server, opened, who
from lrs.cli.progress import steps
from lrs.config import Settings
from lrs.errors import Lost
from lrs.management.audit import audited
from lrs.store.sqlite import identity, whole


@click.command("migrate")
@click.option("--accept-loss", "accepted", multiple=True, type=click.Choice(sorted(identity.WHAT)),
              help="A file of the data directory that is gone for good: it is made anew, empty.")
@click.pass_obj
def command(settings: Settings, accepted: tuple[str, ...]) -> None:
    """Create or renew what the store needs, safe beside running processes; doing it twice changes nothing.

    SQLite files are brought up to date by whatever opens them; a MongoDB database by this command only, but for one that is empty.
    A store of which a file is gone is opened by nothing, until the loss is accepted here.
    """
    with steps("migrate") as told:
        if accepted:
            no_server(settings, "lrs migrate makes collections that are gone anew")
            _must_have_lost(settings)
            with closing(whole.opened(settings.data, first=False, accepted=frozenset(accepted))) as store, \
                    audited(store, who(), "store.accept_loss", ", ".join(accepted)):
                pass
        if settings.store:
            # not opened: what must be migrated first is refused there
            from lrs.store.mongo.whole import migrate

            migrate(settings.store, told)
        else:
            with opened(settings, first=True) as store:
                store.migrate(told)
    click.echo(f"{settings.shown_place} is up to date")


def _must_have_lost(settings: Settings) -> None:
    try:
        whole.opened(settings.data, first=False).close()
    except Lost:
        return
    raise click.ClickException(f"{settings.data} has all its files: there is no loss to accept")
