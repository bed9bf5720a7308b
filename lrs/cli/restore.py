"""`lrs restore`: a data folder from a backup, checked before it is put in place."""
from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import click

from lrs.cli.opened import no_server
from lrs.cli.progress import steps
from lrs.cli.tables import JSON, moment
from lrs.config import Settings
from lrs.errors import NotFound, WrongState
from lrs.management import restore


@click.command("restore")
@click.option("--from", "source", required=True, type=click.Path(path_type=Path), help="The backup: folder or archive.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Data directory to make (LRS_DATA).")
@click.option("--not-before", callback=moment, help="No later statement gets a `stored` up to this time (ISO 8601). Default: now.")
@click.option("--dry-run", is_flag=True, help="Only check the backup.")
@JSON
@click.pass_obj
def command(settings: Settings, source: Path, data: Path | None, not_before: int | None, dry_run: bool, as_json: bool) -> None:
    """Make a data directory from a backup; it must be empty or missing. A damaged backup is refused with all that is wrong (65)."""
    if not data:
        no_server(settings, "mongorestore --oplogReplay brings back what mongodump has copied (docs/mongodb.md); with --data DIR this "
                            "makes a data directory all the same")
    settings = replace(settings, data=data) if data else settings
    try:
        with steps("restore") as told:
            made = restore.write(source, settings.data, not_before=not_before or 0, dry=dry_run, told=told)
    except (NotFound, WrongState) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"nothing was restored: {error}") from error
    if as_json:
        click.echo(json.dumps({"data": None if dry_run else str(settings.data.absolute()), **asdict(made)}))
        return
    if dry_run:
        click.echo(f"{source} is sound: {made.counts['statements']} statements, made {made.began} by version {made.lrs}")
        return
    click.echo(f"{settings.data}: {made.counts['statements']} statements, everything stored up to {made.consistent_through}\n"
               f"Readers of the feed go on from row {made.feed} (?since={made.feed}): what they have read after it is numbered anew.\n"
               "What was delivered after the backup may be delivered again, under the same webhook-id.")
