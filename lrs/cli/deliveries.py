"""`lrs deliveries`: what was sent, what was not, and sending it again."""
from __future__ import annotations

import dataclasses
import json
import sys
import time
from datetime import UTC, datetime

import click

from lrs.cli.opened import opened
from lrs.config import Settings
from lrs.store.protocols.work import Wanted

STATES = ("pending", "leased", "waiting", "parked", "delivered", "dead", "cancelled")


@click.group()
def command() -> None:
    """Deliveries: one for each event and target."""


def _us(text: str) -> int | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as wrong:
        raise click.BadParameter(f"{text!r} is no ISO 8601 time") from wrong
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def _time(us: int | None) -> str:
    return "" if us is None else datetime.fromtimestamp(us / 1_000_000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@command.command("list")
@click.option("--target", default="", help="Only to this target.")
@click.option("--state", default="", type=click.Choice(["", *STATES]), help="Only in this state.")
@click.option("--since", default="", help="Only those created at or after this ISO 8601 time.")
@click.option("--until", default="", help="Only those created before this ISO 8601 time.")
@click.option("--limit", default=50, show_default=True, help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON lines.")
@click.pass_obj
def list_(settings: Settings, target: str, state: str, since: str, until: str, limit: int, as_json: bool) -> None:
    """List deliveries, the newest first."""
    wanted = Wanted((), target, state, _us(since), _us(until))
    with opened(settings) as store:
        for row in store.work.deliveries(wanted, limit):
            click.echo(json.dumps(dataclasses.asdict(row)) if as_json else
                       f"{row.id} {row.state:<9} {row.target:<12} {row.event:<18} {row.event_id} r{row.revision} "
                       f"attempts {row.attempts}" + (f" next {_time(row.due)}" if row.state == "waiting" else "")
                       + (f"  {row.why}" if row.why else ""))


@command.command()
@click.argument("delivery_id")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def show(settings: Settings, delivery_id: str, as_json: bool) -> None:
    """Show one delivery: its event and every attempt."""
    with opened(settings) as store:
        row = next(iter(store.work.deliveries(Wanted((delivery_id,)), 1)), None)
        if row is None:
            click.echo(f'there is no delivery "{delivery_id}"; see: lrs deliveries list', err=True)
            sys.exit(1)
        tries, body = store.work.attempts(delivery_id), store.work.payload(delivery_id)
    event = json.loads(body) if body else None
    if as_json:
        tried = [{k: v for k, v in dataclasses.asdict(t).items() if k not in ("id", "lease", "due")} for t in tries]
        click.echo(json.dumps({**dataclasses.asdict(row), "payload": event, "tries": tried}))
        return
    for name, value in dataclasses.asdict(row).items():
        click.echo(f"{name:<10} {_time(value) if name in ('due', 'created') else value}")
    for one in tries:
        click.echo(f"{_time(one.at)}  {one.state:<9} status {one.status or '-'}  {one.milliseconds:.0f} ms  {one.why}  {one.body[:200]}")
    click.echo(json.dumps(event, indent=2, ensure_ascii=False))


@command.command()
@click.argument("ids", nargs=-1)
@click.option("--target", default="", help="Those to this target.")
@click.option("--state", default="", type=click.Choice(["", "delivered", "dead", "cancelled"]), help="Those in this state.")
@click.option("--since", default="", help="Those created at or after this ISO 8601 time.")
@click.option("--until", default="", help="Those created before this ISO 8601 time.")
@click.option("--dry", is_flag=True, help="Only count.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def replay(settings: Settings, ids: tuple[str, ...], target: str, state: str, since: str, until: str, dry: bool,
           as_json: bool) -> None:
    """Send finished deliveries again, under the same webhook-id: by id, or by what they have in common."""
    wanted = Wanted(ids, target, state, _us(since), _us(until))
    if wanted == Wanted():
        raise click.UsageError("name deliveries, or say which: --target, --state, --since, --until")
    with opened(settings) as store:
        count = store.work.replay(wanted, now=time.time_ns() // 1000, dry=dry)
    click.echo(json.dumps({"count": count, "dry": dry}) if as_json else
               f"{count} deliver{'y' if count == 1 else 'ies'} {'would be' if dry else 'will be'} sent again")
