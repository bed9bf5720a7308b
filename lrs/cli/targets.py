"""`lrs targets`: where completions go."""
from __future__ import annotations

import json
import sys
import time

import click

from lrs.cli.opened import opened
from lrs.config import Settings
from lrs.schema import SettingsInvalid
from lrs.store.protocols.work import TargetRow
from workers.connectors.base import Delivered, Target
from workers.connectors.registry import SCHEMAS, connectors, new_secret, settings_for, shown


@click.group()
def command() -> None:
    """Targets: the systems that completions are delivered to."""


def _printed(row: TargetRow, as_json: bool) -> str:
    view = {"name": row.name, "connector": row.connector, "state": row.state, "why": row.why,
            "settings": shown(row.connector, row.settings)}
    if as_json:
        return json.dumps(view)
    settings = " ".join(f"{name}={value}" for name, value in shown(row.connector, row.settings).items())
    return f"{row.name:<16} {row.connector:<10} {row.state:<9} {settings}" + (f"  ({row.why})" if row.why else "")


@command.command()
@click.argument("name")
@click.option("--connector", required=True, help=f"One of: {', '.join(SCHEMAS)}.")
@click.option("--set", "pairs", multiple=True, metavar="SETTING=VALUE", help="A setting of the connector; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def add(settings: Settings, name: str, connector: str, pairs: tuple[str, ...], as_json: bool) -> None:
    """Add a target. A webhook's signing secret is generated unless given, and shown this once."""
    malformed = [pair for pair in pairs if "=" not in pair]
    if malformed:
        raise click.UsageError(f"--set takes SETTING=VALUE, not {malformed[0]!r}")
    given: dict[str, str] = dict(pair.split("=", 1) for pair in pairs)
    made = new_secret() if connector == "webhook" and "secret" not in given else ""
    try:
        checked = settings_for(connector, {**given, **({"secret": made} if made else {})})
    except SettingsInvalid as wrong:
        click.echo("\n".join(wrong.problems), err=True)
        sys.exit(65)
    row = TargetRow(name, connector, checked)
    with opened(settings) as store:
        if not store.work.add_target(row):
            click.echo(f'there is already a target "{name}"; see: lrs targets list', err=True)
            sys.exit(1)
    if as_json:
        click.echo(json.dumps({**json.loads(_printed(row, True)), **({"secret": made} if made else {})}))
        return
    click.echo(_printed(row, False))
    if made:
        click.echo(f"signing secret (shown only now): {made}")
    click.echo(f"Try it: lrs targets test {name}")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON lines.")
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """List the targets; secrets are hidden."""
    with opened(settings) as store:
        for row in store.work.targets():
            click.echo(_printed(row, as_json))


def _set_state(settings: Settings, name: str, state: str, why: str, as_json: bool) -> None:
    with opened(settings) as store:
        if not store.work.set_target_state(name, state, why):
            _unknown(name)
        row = store.work.target(name)
    if row is not None:
        click.echo(_printed(row, as_json))


def _unknown(name: str) -> None:
    click.echo(f'there is no target "{name}"; see: lrs targets list', err=True)
    sys.exit(1)


@command.command()
@click.argument("name")
@click.option("--why", default="paused by hand", help="Shown in the list.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def pause(settings: Settings, name: str, why: str, as_json: bool) -> None:
    """Stop sending to a target; what it is owed is kept."""
    _set_state(settings, name, "paused", why, as_json)


@command.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def resume(settings: Settings, name: str, as_json: bool) -> None:
    """Send again to a paused or disabled target; what waits goes at once."""
    _set_state(settings, name, "active", "", as_json)


@command.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def test(settings: Settings, name: str, as_json: bool) -> None:
    """Talk to a target once, writing nothing a person would see: exit code 0 if it accepts us."""
    with opened(settings) as store:
        row = store.work.target(name)
    if row is None:
        _unknown(name)
        return
    every = connectors(lambda: time.time_ns() // 1000)
    answer = every[row.connector].probe(Target(row.name, row.connector, row.settings))
    good = isinstance(answer.outcome, Delivered)
    view = {"target": name, "ok": good, "outcome": type(answer.outcome).__name__, "why": getattr(answer.outcome, "why", ""),
            "status": answer.status, "milliseconds": round(answer.milliseconds, 1), "body": answer.body}
    click.echo(json.dumps(view) if as_json else
               f"{name}: {'accepts us' if good else view['why']} (status {answer.status}, {answer.milliseconds:.0f} ms)")
    sys.exit(0 if good else 1)
