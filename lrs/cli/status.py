"""`lrs status`: one screen about what arrived, what was refused, what waits, what went out."""
from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from lrs.cli.opened import opened
from lrs.config import Settings
from lrs.store.open_store import Store


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def command(settings: Settings, as_json: bool) -> None:
    """One screen: accepted, refused, parked, waiting, dead, last export."""
    with opened(settings) as store:
        facts = gather(store, settings.data)
    if as_json:
        click.echo(json.dumps(facts))
        return
    for label, value, hint in (
        ("accepted", f"{facts['accepted']} statements", f"{facts['last_stored'] or 'none yet'}"),
        ("refused", f"{facts['refused']} requests", "of the last 30 days"),
        ("behind", f"{facts['behind']} statements", "not routed yet" if facts["behind"] else "everything is routed"),
        ("events", f"{facts['events']} published", "lrs deliveries list"),
        ("delivered", str(facts["delivered"]), ""),
        ("waiting", str(facts["pending"] + facts["leased"] + facts["waiting"]), "due by schedule, or in flight"),
        ("parked", f"{facts['parked']} people, {facts['parked_deliveries']} deliveries", "unknown learners: lrs people import"),
        ("dead", str(facts["dead"]), "lrs deliveries list --state dead" if facts["dead"] else ""),
        ("targets", ", ".join(f"{name} {state}" for name, state in facts["targets"].items()) or "none",
         "" if facts["targets"] else "lrs targets add"),
        ("last export", facts["last_export"] or "none", ""),
    ):
        click.echo(f"{label:<12} {value:<34} {hint}".rstrip())


def gather(store: Store, data: Path) -> dict[str, Any]:
    """The figures of the screen."""
    states = store.work.count_by_state()
    cursor = store.work.cursor("route")
    last = store.statements.last_seq()
    feed = store.work.feed_length()
    export = data / "last-export.json"
    return {
        "accepted": store.statements.count(),
        "last_stored": datetime.fromtimestamp(last / 1_000_000, UTC).isoformat() if last else None,
        "refused": store.rejections.count(),
        "behind": store.statements.count_after(cursor.seq),
        "events": feed,
        "parked": store.work.count_held(),
        "parked_deliveries": states.get("parked", 0),
        **{state: states.get(state, 0) for state in ("pending", "leased", "waiting", "delivered", "dead", "cancelled")},
        "targets": {target.name: target.state for target in store.work.targets()},
        "last_export": json.loads(export.read_text())["told"] if export.exists() else None,
        "at": datetime.fromtimestamp(time.time(), UTC).isoformat(),
    }
