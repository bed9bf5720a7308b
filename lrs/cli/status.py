"""`lrs status`: one screen about what arrived, what was refused, what waits, what went out."""
from __future__ import annotations

import json
from typing import Any

import click

from lrs.cli.opened import opened
from lrs.config import Settings
from lrs.management import status


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def command(settings: Settings, as_json: bool) -> None:
    """One screen: accepted, refused, parked, waiting, dead, last export."""
    with opened(settings) as store:
        facts = status.gather(store, settings.data, settings.facts_folder)
    if as_json:
        click.echo(json.dumps(facts))
        return
    for label, value, hint in rows(facts):
        click.echo(f"{label:<12} {value:<34} {hint}".rstrip())


def rows(facts: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The screen's lines: label, value, what to do or to know about it."""
    worker, due, opened_ = facts["worker"], facts["oldest_due_seconds"], facts["breakers_open"]
    return [
        ("accepted", f"{facts['accepted']} statements", f"{facts['last_stored'] or 'none yet'}"),
        ("refused", f"{facts['refused']} requests", f"of the last 30 days{': lrs rejections list' if facts['refused'] else ''}"),
        ("behind", f"{facts['behind']} statements", "not routed yet" if facts["behind"] else "everything is routed"),
        ("worker", worker["state"], "lrs serve, or a Celery worker, must run" if worker["state"] == "not seen" else ""),
        ("events", f"{facts['events']} published", "lrs deliveries list"),
        ("delivered", str(facts["delivered"]), ""),
        ("waiting", str(facts["pending"] + facts["leased"] + facts["waiting"]),
         f"the oldest is due since {due} s" if due else "due by schedule, or in flight"),
        ("parked", f"{facts['parked']} people, {facts['parked_deliveries']} deliveries",
         "unknown learners: lrs people waiting, lrs people import" if facts["parked"] else "unknown learners"),
        ("dead", str(facts["dead"]), "lrs deliveries list --state dead" if facts["dead"] else ""),
        ("targets", ", ".join(f"{name} {state}" for name, state in facts["targets"].items()) or "none",
         f"resting after failures: {', '.join(opened_)}" if opened_ else "" if facts["targets"] else "lrs targets add"),
        ("connections", ", ".join(f"{name} {state}" for name, state in facts["connections"].items()) or "none",
         f"{facts['sessions_waiting']} sessions not concluded yet" if facts["sessions_waiting"] else ""),
        ("unmapped", f"{facts['unmapped_verbs']} verbs", "of the last 7 days: lrs verbs unmapped" if facts["unmapped_verbs"] else ""),
        ("facts", "no table" if facts["facts_behind"] is None else f"{facts['facts_behind']} rows behind",
         "a worker builds it: docs/analytics.md" if facts["facts_behind"] is None else "exports compute what the table lacks"),
        ("last export", facts["last_export"] or "none", ""),
    ]
