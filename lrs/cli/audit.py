"""`lrs audit`: who changed what."""
from __future__ import annotations

import json

import click

from lrs.cli.opened import opened
from lrs.cli.tables import JSON_LINES, rows
from lrs.config import Settings
from lrs.management import audit


@click.group()
def command() -> None:
    """Audit: who changed what. Every change is logged before it is made; nothing is ever removed."""


@command.command("list")
@click.option("--who", default="", help="Only of this credential's key, or cli:<system user>.")
@click.option("--action", default="", help="Only this action (credentials.create), or a noun alone (credentials).")
@click.option("--thing", default="", help="Only what was done to this.")
@click.option("--limit", default=100, type=click.IntRange(1, 100_000), help="At most so many.")
@JSON_LINES
@click.pass_obj
def list_(settings: Settings, who: str, action: str, thing: str, limit: int, as_json: bool) -> None:
    """List the newest entries first."""
    with opened(settings) as store:
        found = audit.listed(store, who=who, action=action, thing=thing, limit=limit)
    if not as_json:
        found = [{**one, "said": f"REFUSED: {one['refused']}" if one["refused"] else json.dumps(one["detail"], ensure_ascii=False)}
                 for one in found]
    rows(found, as_json, "{n:>6} {at} {who:<22} {action:<28} {thing} {said}", "nothing was changed yet")
