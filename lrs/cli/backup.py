"""`lrs backup`: a copy of all that the LRS keeps, while it runs."""
from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from lrs.cli.opened import no_server, opened, who
from lrs.cli.progress import steps
from lrs.cli.tables import JSON
from lrs.config import Settings
from lrs.errors import NotFound
from lrs.management import backup, restore


@click.command("backup")
@click.option("--to", required=True, type=click.Path(path_type=Path), help="New folder, or a file named .tar.gz or .tar.")
@click.option("--verify", is_flag=True, help="Unpack it and check every file of it before it gets its name.")
@JSON
@click.pass_obj
def command(settings: Settings, to: Path, verify: bool, as_json: bool) -> None:
    """Copy everything while the LRS runs. The backup is there whole, or not at all; it holds secrets, so keep it as you keep them."""
    if to.name.endswith((".zst", ".zip", ".bz2", ".xz")):
        raise click.UsageError(f"{to.name}: a folder, or a file named .tar.gz or .tar")
    no_server(settings, "mongodump --oplog copies a MongoDB database while it is in use (docs/mongodb.md)")
    try:
        with opened(settings) as store, steps("backup") as told:
            made = backup.write(store, settings.data, to, who=who(), told=told, check=restore.unpacked if verify else None)
    except NotFound as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"no backup was made: {error}") from error
    if as_json:
        click.echo(json.dumps({"backup": str(to.absolute()), "verified": verify, **asdict(made)}))
        return
    size = sum(one.bytes for one in made.files)
    click.echo(f"{to}: {made.counts['statements']} statements, {size / 1e6:.1f} MB{', verified' if verify else ''}; everything "
               f"stored up to {made.consistent_through} is in it")
