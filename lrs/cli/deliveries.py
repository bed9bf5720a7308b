"""`lrs deliveries`: what was sent, what was not, and sending it again."""
from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from lrs.cli.opened import opened, who
from lrs.config import Settings
from lrs.management import deliveries
from lrs.services import now_us
from lrs.statements.instants import instant
from lrs.store.protocols.work import Wanted

JSON = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")


@click.group()
def command() -> None:
    """Deliveries: one for each event and target."""


def _us(text: str) -> int | None:
    if not text:
        return None
    at = instant(text)
    if at is None:
        raise click.BadParameter(f"{text!r} is no ISO 8601 time")
    return at.micros


def _time(us: int | None) -> str:
    return "" if us is None else datetime.fromtimestamp(us / 1_000_000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def which(states: tuple[str, ...]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options that say which deliveries are meant."""
    options = (
        click.option("--target", default="", help="Those to this target."),
        click.option("--state", type=click.Choice(states), metavar="|".join(states), help="Those in this state."),
        click.option("--event", default="", help="Those of this event, such as learning.completed."),
        click.option("--person", default="", help="Those about this employee id."),
        click.option("--course", default="", help="Those about this course (its id)."),
        click.option("--since", default="", help="Those created at or after this ISO 8601 time."),
        click.option("--until", default="", help="Those created before this ISO 8601 time."),
    )

    def decorated(function: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorated


def _wanted(ids: tuple[str, ...], since: str, until: str, state: str | None, **named: str) -> Wanted:
    return Wanted(ids=ids, since=_us(since), until=_us(until), state=state or "", **named)


def _deliveries(count: int) -> str:
    return f"{count} deliver{'y' if count == 1 else 'ies'}"


def _say_why_not(passed_over: list[str], count: int) -> None:
    """Say on stderr why nothing is done to deliveries that were named; exit code 1 where that leaves none."""
    for sentence in passed_over:
        click.echo(f"lrs: {sentence}", err=True)
    if passed_over and not count:
        sys.exit(1)


@command.command("list")
@which(deliveries.STATES)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON lines.")
@click.pass_obj
def list_(settings: Settings, limit: int, as_json: bool, **named: Any) -> None:
    """List deliveries, the newest first."""
    with opened(settings) as store:
        rows = deliveries.rows(store, _wanted((), **named), limit)
        for row in rows:
            click.echo(json.dumps(dataclasses.asdict(row)) if as_json else
                       f"{row.id} {row.state:<9} {row.target:<12} {row.event:<18} {row.event_id} r{row.revision} "
                       f"attempts {row.attempts}" + (f" next {_time(row.due)}" if row.state == "waiting" else "")
                       + (f"  {row.why}" if row.why else ""))
    if not rows and not as_json:
        click.echo("there is no such delivery" if any(named.values()) else "there are no deliveries yet")


@command.command()
@click.argument("delivery_id")
@JSON
@click.pass_obj
def show(settings: Settings, delivery_id: str, as_json: bool) -> None:
    """Show one delivery: its event and every attempt."""
    with opened(settings) as store:
        view = deliveries.show(store, delivery_id)
    if as_json:
        click.echo(json.dumps(view))
        return
    event, tries = view.pop("payload"), view.pop("tries")
    for name, value in view.items():
        click.echo(f"{name:<10} {'' if value is None else value}")
    for one in tries:
        click.echo(f"{one['at']}  {one['state']:<9} status {one['status'] or '-'}  {one['milliseconds']:.0f} ms  {one['why']}  "
                   f"{one['body'][:200]}")
    click.echo(json.dumps(event, indent=2, ensure_ascii=False))


@command.command()
@click.argument("ids", nargs=-1)
@which(deliveries.FINISHED)
@click.option("--dry", is_flag=True, help="Only count.")
@JSON
@click.pass_obj
def replay(settings: Settings, ids: tuple[str, ...], dry: bool, as_json: bool, **named: Any) -> None:
    """Send finished deliveries again, under the same webhook-id. By id, or by what they have in common."""
    wanted = _wanted(ids, **named)
    if wanted == Wanted():
        raise click.UsageError("name deliveries, or say which: --target, --state, --event, --person, --course, --since, --until")
    with opened(settings) as store:
        passed_over = deliveries.passed_over(store, wanted, deliveries.FINISHED)
        count = deliveries.replay(store, wanted, who=who(), now_us=now_us(), dry=dry)
    told = f"{_deliveries(count)} {'would be' if dry else 'will be'} sent again"
    click.echo(json.dumps({"count": count, "dry": dry}) if as_json else told)
    _say_why_not(passed_over, count)


@command.command()
@click.argument("ids", nargs=-1)
@which(())
@JSON
@click.pass_obj
def release(settings: Settings, ids: tuple[str, ...], as_json: bool, **named: Any) -> None:
    """Try parked deliveries again now. What lacks a person or a training type goes by itself when that is added."""
    wanted = _wanted(ids, **named)
    with opened(settings) as store:
        passed_over = deliveries.passed_over(store, wanted, ("parked",))
        count = deliveries.release(store, wanted, who=who(), now_us=now_us())
    click.echo(json.dumps({"count": count}) if as_json else f"{_deliveries(count)} will be tried again")
    _say_why_not(passed_over, count)


@command.command()
@click.argument("ids", nargs=-1)
@which(deliveries.UNSENT)
@click.option("--why", default="", help="Shown in the list.")
@click.option("--dry", is_flag=True, help="Only count.")
@JSON
@click.pass_obj
def cancel(settings: Settings, ids: tuple[str, ...], why: str, dry: bool, as_json: bool, **named: Any) -> None:
    """Never send what was not sent yet. `replay --state cancelled` takes it back."""
    wanted = _wanted(ids, **named)
    if wanted == Wanted():
        raise click.UsageError("name deliveries, or say which: --target, --state, --event, --person, --course, --since, --until")
    with opened(settings) as store:
        passed_over = deliveries.passed_over(store, wanted, deliveries.UNSENT)
        count = deliveries.cancel(store, wanted, who=who(), why=why, dry=dry)
    told = f"{_deliveries(count)} {'would be' if dry else 'will not be'} {'cancelled' if dry else 'sent'}"
    click.echo(json.dumps({"count": count, "dry": dry}) if as_json else told)
    _say_why_not(passed_over, count)
