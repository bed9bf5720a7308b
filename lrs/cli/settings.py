"""`lrs settings`: every setting with its value and where it may be set."""
from __future__ import annotations

import json
from typing import Any

import click

from lrs import config
from lrs.kinds import SECRET_KINDS, without_password


def _current(settings: config.Settings, row: config.Row) -> Any:
    value = getattr(settings, row.name) if hasattr(settings, row.name) else getattr(settings.limits, row.name)
    return without_password(value) if row.kind in SECRET_KINDS else value


@click.command("settings")
@click.option("--markdown", is_flag=True, help="Print docs/settings.md.")
@click.option("--json", "as_json", is_flag=True, help="Print names and values as JSON.")
@click.pass_obj
def command(settings: config.Settings, markdown: bool, as_json: bool) -> None:
    """Every setting with its value."""
    if markdown:
        click.echo(config.markdown(), nl=False)
        return
    values = {row.name: _current(settings, row) for row in config.table()}
    if as_json:
        click.echo(json.dumps(values, default=str, indent=2))
        return
    for row in config.table():
        value = values[row.name]
        shown = "—" if value in (None, "", ()) else value
        click.echo(f"{row.variable:<24} {shown!s:<20} {row.unit:<11} {row.sentence}")
