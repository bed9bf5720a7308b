"""`lrs targets`: where completions go."""
from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import click

from lrs.cli.opened import opened, who
from lrs.config import Settings
from lrs.management import targets
from lrs.services import now_us
from lrs.store.open_store import Store
from workers.connectors.registry import SCHEMAS

JSON = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
SET = click.option("--set", "pairs", multiple=True, metavar="SETTING=VALUE", help="A setting of the connector; may be repeated.")


@click.group()
def command() -> None:
    """Targets: the systems that completions are delivered to."""


def _line(view: dict[str, Any]) -> str:
    settings = " ".join(f"{name}={value}" for name, value in view["settings"].items())
    rests = f"  [breaker {view['breaker']}, {view['failures']} failures in a row]" if view["breaker"] != "closed" else ""
    why = f"  ({view['why']})" if view["why"] else ""
    return f"{view['name']:<16} {view['connector']:<10} {view['state']:<9} {settings}{rests}{why}"


def _pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    malformed = [pair for pair in pairs if "=" not in pair]
    if malformed:
        raise click.UsageError(f"--set takes SETTING=VALUE, not {malformed[0]!r}")
    return dict(pair.split("=", 1) for pair in pairs)


def _tell(settings: Settings, as_json: bool, do: Callable[[Store], dict[str, Any]], *, first: bool = False) -> dict[str, Any]:
    with opened(settings, first=first) as store:
        view = do(store)
    click.echo(json.dumps(view) if as_json else _line(view))
    if view.get("secret") and not as_json:
        click.echo(f"signing secret (shown only now): {view['secret']}")
    return view


@command.command()
@click.argument("name")
@click.option("--connector", required=True, help=f"One of: {', '.join(SCHEMAS)}.")
@SET
@JSON
@click.pass_obj
def add(settings: Settings, name: str, connector: str, pairs: tuple[str, ...], as_json: bool) -> None:
    """Add a target. A webhook's signing secret is generated unless given, and shown this once."""
    given = _pairs(pairs)
    _tell(settings, as_json, lambda store: targets.create(
        store, who=who(), name=name, connector=connector, settings=given, now_us=now_us()), first=True)
    if not as_json:
        click.echo(f"Try it: lrs targets test {name}")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON lines.")
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """List the targets; secrets are hidden."""
    with opened(settings) as store:
        views = targets.listed(store, now_us())
    for view in views:
        click.echo(json.dumps(view) if as_json else _line(view))
    if not views and not as_json:
        click.echo("no targets yet: lrs targets add")


@command.command()
@click.argument("name")
@SET
@click.option("--unset", "unset", multiple=True, metavar="SETTING", help="A setting to take away; may be repeated.")
@JSON
@click.pass_obj
def change(settings: Settings, name: str, pairs: tuple[str, ...], unset: tuple[str, ...], as_json: bool) -> None:
    """Change settings of a target; what is not named stays."""
    given: dict[str, str | None] = {**_pairs(pairs), **dict.fromkeys(unset)}
    if not given:
        raise click.UsageError("say what: --set SETTING=VALUE, --unset SETTING")
    _tell(settings, as_json, lambda store: targets.change(store, name, who=who(), settings=given, now_us=now_us()))


@command.command()
@click.argument("name")
@click.option("--why", default="paused by hand", help="Shown in the list.")
@JSON
@click.pass_obj
def pause(settings: Settings, name: str, why: str, as_json: bool) -> None:
    """Stop sending to a target; what it is owed is kept."""
    _tell(settings, as_json, lambda store: targets.set_state(store, name, "paused", who=who(), why=why, now_us=now_us()))


@command.command()
@click.argument("name")
@JSON
@click.pass_obj
def resume(settings: Settings, name: str, as_json: bool) -> None:
    """Send again to a paused or disabled target. What waits goes at once."""
    _tell(settings, as_json, lambda store: targets.set_state(store, name, "active", who=who(), now_us=now_us()))


@command.command()
@click.argument("name")
@click.option("--drop-waiting", is_flag=True, help="Cancel what waits for it; it is never sent.")
@JSON
@click.pass_obj
def remove(settings: Settings, name: str, drop_waiting: bool, as_json: bool) -> None:
    """Remove a target that nothing waits for. What was delivered to it stays on record."""
    with opened(settings) as store:
        view = targets.remove(store, name, who=who(), drop_waiting=drop_waiting)
    dropped = f"; {view['dropped']} waiting deliveries cancelled" if view["dropped"] else ""
    click.echo(json.dumps(view) if as_json else f"{name} is removed{dropped}")


@command.command()
@click.argument("name")
@click.option("--retire", is_flag=True, help="Sign with the newest secret alone: the receiver knows it now.")
@JSON
@click.pass_obj
def rotate(settings: Settings, name: str, retire: bool, as_json: bool) -> None:
    """Give a webhook a new signing secret without a gap. Both sign until you run it again with --retire."""
    how = targets.retire if retire else targets.rotate
    _tell(settings, as_json, lambda store: how(store, name, who=who(), now_us=now_us()))
    if not retire and not as_json:
        click.echo(f"Give it to the receiver, then: lrs targets rotate {name} --retire")


@command.command()
@click.argument("name")
@JSON
@click.pass_obj
def test(settings: Settings, name: str, as_json: bool) -> None:
    """Talk to a target once, writing nothing a person would see. Exit code 0 if it accepts us."""
    with opened(settings) as store:
        view = targets.test(store, name, now_us)
    answer = "no answer" if view["status"] is None else f"status {view['status']}"
    click.echo(json.dumps(view) if as_json else
               f"{name}: {'accepts us' if view['ok'] else view['why']} ({answer}, {view['milliseconds']:.0f} ms)")
    sys.exit(0 if view["ok"] else 1)
