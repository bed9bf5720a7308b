"""`lrs verbs`: the verb map, what it does not know, and why a statement is read as it is."""
from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict
from typing import TextIO

import click
import orjson

from lrs.cli.opened import opened
from lrs.completions.catalogue import Catalogue
from lrs.completions.judge import judge
from lrs.completions.rules_page import markdown
from lrs.config import Settings
from verbs.read import from_json, read
from verbs.tables import load

EVENT = {
    "yes": "may complete a course", "no": "completes nothing by itself", "by_threshold": "by the attendance threshold only",
    "opt_in": "only after an administrator switches it on", "revoke": "takes something back", "never": "never counts",
}

OUTCOME = "learning.completed, or learning.updated if it is better,"
# What evidence of a status that is no outcome does instead.
EVIDENCE = {
    "withdrawn": "learning.revoked, where nothing else supports the completion,",
    "attended": "nothing; the presence is on record",
    "awarded": "credential.awarded, or nothing if it is awarded already,",
    "scored": "nothing by itself; it updates the score on record",
}


@click.group()
def command() -> None:
    """Verbs: how statements are read in canonical verbs."""


@command.command("list")
@click.option("--verb", default="", help="Only rows of this canonical verb.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON lines.")
def list_(verb: str, as_json: bool) -> None:
    """List the rows of the verb map."""
    table = load()
    rows = [row for row in table.rows if verb in ("", row.canonical)]
    for row in rows:
        told = asdict(row)
        if as_json:
            click.echo(json.dumps(told))
        else:
            narrowed = " ".join(part for part in (row.provider, row.activity_type) if part)
            click.echo(f"{row.canonical:<12} {row.completion_event:<13} {row.verb_iri}{f'  [{narrowed}]' if narrowed else ''}")
    if not as_json:
        click.echo(f"{len(rows)} rows, version {table.version} of the map")


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON lines.")
@click.pass_obj
def unmapped(settings: Settings, as_json: bool) -> None:
    """List the verbs that arrived and have no row, by provider, with a suggestion. Nothing unmapped is forwarded."""
    counts: Counter[tuple[str, str]] = Counter()
    with opened(settings) as store:
        after = 0
        while records := store.statements.follow(after, 1000):
            after = records[-1].seq
            for record in records:
                if from_json(record.reading).verb == "unmapped":
                    counts[record.provider, orjson.loads(record.text)["verb"]["id"]] += 1
    table = load()
    for (provider, iri), count in counts.most_common():
        row = {"provider": provider, "verb": iri, "count": count, "suggestion": table.suggestion(iri)}
        hint = f"  (perhaps {row['suggestion']}?)" if row["suggestion"] else ""
        click.echo(json.dumps(row) if as_json else f"{count:>7}  {provider:<20} {iri}{hint}")
    if not counts and not as_json:
        click.echo("every verb that arrived has a row")


@command.command()
def rules() -> None:
    """Print the completion rules, with their examples, as Markdown."""
    click.echo(markdown(), nl=False)


@command.command()
@click.argument("file", type=click.File("r"))
@click.option("--provider", default="", help="Provider that sends it.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def explain(settings: Settings, file: TextIO, provider: str, as_json: bool) -> None:
    """Say how the statement in FILE (- for standard input) is read: by which row and rule, and what it would trigger."""
    try:
        statement = json.load(file)
    except ValueError as error:
        raise click.UsageError(f"not JSON: {error}") from error
    if not isinstance(statement, dict):
        raise click.UsageError("a statement is a JSON object")
    reading = read(statement, provider)
    with opened(settings) as store:
        catalogue = Catalogue(store.directory.courses())
        now = time.time_ns() // 1000
        judgement = judge(statement, reading, seq=now, stored_us=now, provider=provider, catalogue=catalogue, now_us=now)
        known = store.directory.person_by_identifier(judgement.identifiers)
    who = next((known[name].employee_id for name in judgement.identifiers if name in known), "")
    pairs = [(key, one) for key, one in judgement.evidence if not key.startswith("cmi5:")]
    courses = [key for key, _ in pairs]
    statuses = {one.status for _, one in pairs}
    told = {"verb": reading.verb, "row": asdict(reading.via) if reading.via else None, "kind": reading.kind, "outcome": reading.outcome,
            "score": asdict(reading.score) if reading.score else None, "duration": reading.duration, "map_version": reading.map_version,
            "rule": judgement.rule, "rule_says": load().rules.get(judgement.rule, ""), "why": judgement.why, "hold": judgement.hold,
            "courses": courses, "statuses": sorted(statuses),
            "learner": list(judgement.identifiers), "employee_id": who}
    if as_json:
        click.echo(json.dumps(told))
        return
    click.echo(f"verb      {reading.verb} ({EVENT.get(reading.kind, reading.kind)})")
    if reading.via:
        narrowed = " ".join(part for part in (reading.via.provider, reading.via.activity_type) if part)
        click.echo(f"row       {reading.via.verb_iri}{f' [{narrowed}]' if narrowed else ''}"
                   f"{' (IRI folded)' if reading.via.folded else ''}, map version {reading.map_version}")
    else:
        suggestion = load().suggestion(str(statement.get("verb", {}).get("id", "")) if isinstance(statement.get("verb"), dict) else "")
        click.echo(f"row       none{f'; perhaps it means {suggestion}' if suggestion else ''}")
    if reading.outcome:
        click.echo(f"outcome   {reading.outcome}")
    click.echo(f"why       {judgement.why}")
    if told["rule_says"]:
        click.echo(f"rule {judgement.rule:<5}{told['rule_says']}")
    click.echo(f"triggers  {_triggers(courses, statuses, who, judgement.identifiers)}")


def _triggers(courses: list[str], statuses: set[str], who: str, identifiers: tuple[str, ...]) -> str:
    """What becomes of the evidence, in a sentence. Whether it is new, better or the same depends on what stands."""
    if not courses:
        return "nothing"
    what = next((words for status, words in EVIDENCE.items() if status in statuses), OUTCOME)
    known = f" for employee {who}" if who else f", parked until the directory knows {identifiers[0] if identifiers else 'the learner'}"
    return f"{what} for {', '.join(courses)}{'' if 'scored' in statuses else known}"
