"""`lrs facts`: the table of facts that analysts open."""
from __future__ import annotations

import json
from typing import Any

import click

from analytics import build, table
from analytics.table import AnotherStore
from lrs.cli.opened import opened
from lrs.config import Settings
from lrs.services import Services


@click.group()
def command() -> None:
    """Facts: the table (Delta Lake) that the worker builds for analysts. See docs/analytics.md."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def status(settings: Settings, as_json: bool) -> None:
    """Tell rows and files of the table, and what it lacks."""
    with opened(settings) as store:
        try:
            found = table.opened(settings.facts_folder, store.statements.term_key)
        except AnotherStore as fault:
            raise click.ClickException(str(fault)) from fault
        if found is None:
            raise click.ClickException(f"there is no table in {settings.facts_folder} yet: a worker builds it, or lrs facts rebuild")
        files, (seq, _) = table.files(found), table.cursor(found)
        told: dict[str, Any] = {"table": found.table_uri, "rows": sum(one.rows for one in files), "files": len(files), "through": seq,
                                "behind": store.statements.count_after(seq)}
    click.echo(json.dumps(told) if as_json else "\n".join(f"{name:<8} {value}" for name, value in told.items()))


@command.command()
@click.pass_obj
def rebuild(settings: Settings) -> None:
    """Build the table anew from the store.

    Exports stay right meanwhile, and are slower.
    """
    with opened(settings) as store:
        try:
            rows = build.rebuild(Services(settings, store))
        except AnotherStore as fault:
            raise click.ClickException(str(fault)) from fault
    click.echo(f"{rows} rows in {settings.facts_folder}")
