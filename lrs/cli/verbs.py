"""`lrs verbs`: the verb map, what it does not know, why a statement is read as it is, and new versions."""
from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, BinaryIO

import click

from lrs.cli.maps import add_versions, proposed, store_of, text_of
from lrs.cli.opened import BadInput, opened, who
from lrs.cli.progress import progress
from lrs.completions.rules_page import markdown
from lrs.config import Settings
from lrs.management import verbs

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
REFUSED_SHOWN = 10
OF_CREDENTIAL = {"awarded": "credential.awarded", "withdrawn": "credential.revoked, where it was awarded,"}


@click.group()
def command() -> None:
    """Verbs: how statements are read in canonical verbs."""


@command.command()
def rules() -> None:
    """Print the completion rules, with their examples, as Markdown."""
    click.echo(markdown(), nl=False)


@command.command("list")
@click.option("--verb", default="", help="Only rows of this canonical verb.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON lines.")
@click.pass_obj
def list_(settings: Settings, verb: str, as_json: bool) -> None:
    """List the rows of the verb map in force. The installation's own stand on top of the product's."""
    with opened(settings) as store:
        rows, version = verbs.rows(store, verb), verbs.map_version(store)
    for row in rows:
        told = asdict(row)
        if as_json:
            click.echo(json.dumps(told))
        else:
            narrowed = " ".join(part for part in (row.provider, row.activity_type) if part)
            click.echo(f"{row.canonical:<12} {row.completion_event:<13} {row.verb_iri}{f'  [{narrowed}]' if narrowed else ''}"
                       f"{'  (own)' if row.source == 'installation' else ''}")
    if not as_json:
        own = f", with version {version['installation']} of the installation's own" if version["installation"] else ""
        click.echo(f"{len(rows)} rows, version {version['product']} of the map{own}")


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON lines.")
@click.pass_obj
def unmapped(settings: Settings, as_json: bool) -> None:
    """List the verbs that arrived and have no row, by provider. Suggests a row where it can; nothing unmapped is forwarded.

    Looks at every statement: about ten seconds a million.
    """
    with opened(settings) as store, progress("looking at statements") as tell:
        rows, _ = verbs.unmapped(store, progress=tell)
    for row in rows:
        hint = f"  (perhaps {row['suggestion']}?)" if row["suggestion"] else ""
        click.echo(json.dumps(row) if as_json else f"{row['count']:>7}  {row['provider']:<20} {row['verb']}{hint}")
    if not rows and not as_json:
        click.echo("every verb that arrived has a row")


@command.command()
@click.argument("file", type=click.File("rb"), required=False)
@click.option("--history", is_flag=True, help="Instead of a file: read all of history again with the map in force, as after an update.")
@click.option("--note", default="", help="Why, for the list of versions.")
@click.option("--whole", is_flag=True, help="FILE is all that this installation adds: rows that it lacks are taken away.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def propose(settings: Settings, file: BinaryIO | None, history: bool, note: str, whole: bool, as_json: bool) -> None:
    """Propose a version of the verb map from FILE (- for stdin). Every fault is named, nothing is changed yet.

    CSV with the columns verb_iri, provider, activity_type, canonical, completion_event, note: rows to add to the map in
    force, or to replace there; canonical "-" takes a row of yours away. Or JSON with "rows" and "providers".
    """
    if (file is None) is not history:
        raise click.UsageError("name a file, or --history")
    text = text_of(file.read()) if file else ""
    with store_of(settings, first=True) as store:
        proposed(verbs.propose_history(store, who=who(), note=note) if history else
                 verbs.propose_text(store, text, who=who(), note=note, whole=whole), as_json)


@command.command()
@click.argument("file", type=click.File("rb"))
@click.option("--provider", default="", help="Provider that sends it.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def explain(settings: Settings, file: BinaryIO, provider: str, as_json: bool) -> None:
    """Say how the statement in FILE (- for standard input) is read. By which row and rule, and what it would trigger, or why
    it would be refused."""
    text = text_of(file.read())
    try:
        statement = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not JSON: {error}") from error
    if not isinstance(statement, dict):
        raise BadInput("a statement is a JSON object")
    with opened(settings, first=True) as store:
        told = verbs.explain(store, statement, provider)
    click.echo(json.dumps(told) if as_json else "\n".join(_explained(told)))


def _explained(told: dict[str, Any]) -> list[str]:
    lines = [f"refused   {one['pointer'] or '/'}: {one['why']} [{one['rule']}]" for one in told["refused"][:REFUSED_SHOWN]]
    lines += [f"verb      {told['verb']} ({EVENT.get(told['kind'], told['kind'])})"]
    if row := told["row"]:
        narrowed = " ".join(part for part in (row["provider"], row["activity_type"]) if part)
        lines.append(f"row       {row['verb_iri']}{f' [{narrowed}]' if narrowed else ''}"
                     f"{' (IRI folded)' if row['folded'] else ''}, map version {told['map_version']}")
    else:
        lines.append(f"row       none{'; perhaps it means ' + told['suggestion'] if told['suggestion'] else ''}")
    if told["outcome"]:
        lines.append(f"outcome   {told['outcome']}")
    lines.append(f"why       {told['why']}")
    if told["rule_says"]:
        lines.append(f"rule {told['rule']:<5}{told['rule_says']}")
    lines.append(f"triggers  {'nothing: as it stands it would be refused' if told['refused'] else _triggers(told)}")
    return lines


def _triggers(told: dict[str, Any]) -> str:
    """What becomes of the evidence, in a sentence. Whether it is new, better or the same depends on what stands."""
    statuses, named = told["statuses"], told["credentials"] or told["courses"]
    if not named:
        return "nothing"
    events = OF_CREDENTIAL if told["credentials"] else EVIDENCE
    what = next((words for status, words in events.items() if status in statuses), OUTCOME)
    learner = told["learner"][0] if told["learner"] else "the learner"
    known = f" for employee {told['employee_id']}" if told["employee_id"] else f", parked until the directory knows {learner}"
    return f"{what} for {', '.join(named)}{'' if 'scored' in statuses else known}"


add_versions(command, "verbs")
