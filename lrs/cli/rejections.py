"""`lrs rejections`: what was refused, and why."""
from __future__ import annotations

import json

import click

from lrs.cli.opened import opened
from lrs.cli.tables import JSON, JSON_LINES, labels, moment, printable, rows
from lrs.config import Settings
from lrs.management import rejections
from lrs.store.protocols.rejections import COUNTED_BY, Sought


@click.group()
def command() -> None:
    """Rejections: what was refused in the last 30 days, and why."""


@command.command("list")
@click.option("--credential", default="", help="Only of this credential's key.")
@click.option("--code", default="", help="Only with this code, such as invalid or conflict.")
@click.option("--rule", default="", help="Only where this rule was broken.")
@click.option("--status", type=click.IntRange(100, 599), default=None, help="Only with this HTTP status.")
@click.option("--since", callback=moment, help="Only from this time on (ISO 8601).")
@click.option("--until", callback=moment, help="Only before this time.")
@click.option("--by", type=click.Choice(COUNTED_BY), default=None, help="Count instead of listing.")
@click.option("--before", type=click.IntRange(1, 2**53), default=None, help="Only those with a lower number: the next page.")
@click.option("--limit", default=100, type=click.IntRange(1, 100_000), help="At most so many.")
@JSON_LINES
@click.pass_obj
def list_(settings: Settings, credential: str, code: str, rule: str, status: int | None, since: int | None, until: int | None,
          by: str | None, before: int | None, limit: int, as_json: bool) -> None:
    """List the newest first, or count them --by rule."""
    sought = Sought(credential, code, rule, status, since, until)
    with opened(settings) as store:
        if by:
            rows(rejections.counts(store, by, sought)["items"], as_json, f"{{count:>7}} {{{by}}}", "nothing was refused")
            return
        found = rejections.listed(store, sought, before=before, limit=limit)
    rows(found, as_json, "{n:>6} {at} {credential:<22} {status} {code:<14} {message}", "nothing was refused")


@command.command()
@click.argument("number", type=click.IntRange(1, 2**53))
@JSON
@click.pass_obj
def show(settings: Settings, number: int, as_json: bool) -> None:
    """Show a rejection and its findings. With the beginning of what was sent, persons and secrets masked."""
    with opened(settings) as store:
        shown = rejections.shown(store, number)
    if as_json:
        labels(shown, True)
        return
    detail, excerpt = shown.pop("detail"), shown.pop("excerpt")
    labels(shown)
    for one in detail.get("findings", []):
        place = "" if one.get("index") is None else f"{one['index']}: "
        found = f" found: {one['found']}" if one.get("found") else ""
        click.echo(printable(f"  {place}{one.get('pointer') or '/'}: {one.get('why', '')} [{one.get('rule', '')}]{found}"))
    if detail.get("conflict"):
        click.echo(printable(f"conflict        {json.dumps(detail['conflict'], ensure_ascii=False)}"))
    click.echo(printable(f"sent            {excerpt or '(nothing kept)'}"))
