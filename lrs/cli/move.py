"""`lrs move`: everything from one store to another, SQLite files or a MongoDB database."""
from __future__ import annotations

import json
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path

import click

from lrs.cli.opened import who
from lrs.cli.progress import steps
from lrs.cli.tables import JSON
from lrs.errors import NotFound, WrongState
from lrs.kinds import without_password
from lrs.management import move
from lrs.store.open_store import FILES, Store, is_server, open_store


@click.command("move")
@click.option("--from", "source", required=True, metavar="PLACE", help="The store to move: its data directory, or a mongodb:// URL.")
@click.option("--to", "target", required=True, metavar="PLACE", help="Where to: a data directory or a mongodb:// URL, empty or not there.")
@click.option("--dry-run", is_flag=True, help="Only say what would move.")
@JSON
def command(source: str, target: str, dry_run: bool, as_json: bool) -> None:
    """Move everything from one store to another; stop all processes of it first. Broken off, it goes on when it is run again."""
    if target == source or (not (is_server(source) or is_server(target)) and _folder(source) == _folder(target)):
        raise click.ClickException("--from and --to are the same store")
    shown_from, shown_to = (without_password(place) if is_server(place) else place for place in (source, target))
    try:
        with ExitStack() as opened, steps("move") as told:
            old = opened.enter_context(closing(open_store(source, first=False)))
            if dry_run:
                made = move.plan(old, _there(opened, target))
            else:
                new = opened.enter_context(closing(open_store(target, moving=True)))
                made = move.move(old, new, who=who(), of=shown_from, told=told)
    except (NotFound, WrongState, ValueError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        raise click.ClickException("broken off: run the same command again, it goes on where it was") from None
    if as_json:
        click.echo(json.dumps({"from": shown_from, "to": shown_to, "dry_run": dry_run, **asdict(made)}))
        return
    if dry_run:
        for part, rows in made.rows.items():
            if rows:
                click.echo(f"{rows:>12} {part}")
        click.echo(f"would go from {shown_from} to {shown_to}" + (", on from where an earlier move was broken off" if made.goes_on else ""))
        return
    click.echo(f"{made.rows['statements']} statements and all that belongs to them went from {shown_from} to {shown_to}:\n"
               "each part was read back there and is the same.\n"
               f"Start the LRS on {shown_to} now, and never again on {shown_from}: two of them would deliver for one.")


def _folder(place: str) -> Path:
    return Path(place.removeprefix(FILES)).resolve()


def _there(opened: ExitStack, target: str) -> Store | None:
    try:
        return opened.enter_context(closing(open_store(target, first=False, moving=True)))
    except NotFound:
        return None
