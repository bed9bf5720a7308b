"""`lrs people`: the directory, from a CSV file or one by one, and who is waited for."""
from __future__ import annotations

import json
import sys
from typing import TextIO

import click

from lrs.cli.opened import BadInput, opened, who
from lrs.cli.tables import JSON, JSON_LINES, labels, rows
from lrs.config import Settings
from lrs.errors import Invalid
from lrs.management import people


@click.group()
def command() -> None:
    """People: who the learners are, and by which identifiers they are known."""


@command.command("import")
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@click.option("--dry-run", is_flag=True, help="Only say what would be taken and refused.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def import_(settings: Settings, file: TextIO, dry_run: bool, as_json: bool) -> None:
    """Read people from a CSV FILE (- for standard input). Every refused row is reported.

    Columns: employee_id (required), email, name, department, job_code, hris_id, crm_id, aliases, identifiers; what they
    hold: docs/directory.md. Separated by commas, semicolons or tabs, in UTF-8. Exit code 1 if a row was refused; the others are taken.
    """
    with opened(settings, first=True) as store:
        try:
            lines = list(file)
            with click.progressbar(length=len(lines), label="people", file=sys.stderr, hidden=len(lines) <= people.SLICE) as bar:
                done = people.import_csv(store, lines, who=who(), dry=dry_run, told=lambda rows_done: bar.update(rows_done - bar.pos))
        except UnicodeDecodeError as error:
            raise BadInput(f"the file is not in UTF-8 ({error.reason} at byte {error.start}); save it as CSV UTF-8") from error
        except Invalid:
            raise
        except ValueError as error:
            raise BadInput(str(error)) from error
    if as_json:
        click.echo(json.dumps({**done.as_json(), "dry": dry_run}))
    else:
        would = "would be " if dry_run else ""
        click.echo(f"{done.people} people {would}imported, {len(done.refused)} rows refused")
        for one in done.refused:
            click.echo(f"  line {one.line}: {one.why}", err=True)
    if done.refused:
        sys.exit(1)


@command.command("list")
@click.option("--q", default="", help="A part of employee id, name, e-mail or department.")
@click.option("--email", default="", help="An e-mail address, also an alias.")
@click.option("--identifier", default="", help="As in an actor: mailto:…, a SHA-1, homePage|name, an OpenID URI.")
@JSON_LINES
@click.pass_obj
def list_(settings: Settings, q: str, email: str, identifier: str, as_json: bool) -> None:
    """List the people of the directory."""
    with opened(settings) as store:
        after = ""
        while found := people.listed(store, after=after, limit=people.SLICE, q=q, email=email, identifier=identifier):
            after = found[-1]["employee_id"]
            for one in found:
                click.echo(json.dumps(one, ensure_ascii=False) if as_json else
                           f"{one['employee_id']:<12} {one['name']:<28} {one['email']:<34} {len(one['identifiers'])} identifiers")
    if not after and not as_json:
        click.echo("nobody is found" if q or email or identifier else "nobody yet: lrs people import")


@command.command()
@click.argument("employee_id")
@JSON
@click.pass_obj
def show(settings: Settings, employee_id: str, as_json: bool) -> None:
    """Show a person with all identifiers that statements may use."""
    with opened(settings) as store:
        labels(people.shown(people.person(store, employee_id)), as_json)


@command.command()
@click.argument("employee_id")
@click.option("--email", default="")
@click.option("--name", default="")
@click.option("--department", default="")
@click.option("--job-code", default="")
@click.option("--hris-id", default="")
@click.option("--crm-id", default="")
@click.option("--alias", "aliases", multiple=True, help="A further e-mail address; may be repeated.")
@click.option("--identifier", "identifiers", multiple=True, help="mailto:…, a SHA-1, homePage|name, an OpenID URI; may be repeated.")
@JSON
@click.pass_obj
def put(settings: Settings, employee_id: str, aliases: tuple[str, ...], identifiers: tuple[str, ...], as_json: bool, **given: str) -> None:
    """Store or replace one person. What is left out is empty afterwards; what waited for them is released."""
    with opened(settings, first=True) as store:
        one, _ = people.put(store, {"employee_id": employee_id, **given, "aliases": list(aliases), "identifiers": list(identifiers)},
                            who=who())
    labels(people.shown(one), as_json)


@command.command()
@click.option("--limit", default=100, type=click.IntRange(1, people.HELD_MOST), help="At most so many.")
@JSON_LINES
@click.pass_obj
def waiting(settings: Settings, limit: int, as_json: bool) -> None:
    """List learners whom the directory does not know. Their completions wait."""
    with opened(settings) as store:
        found = people.waiting(store, limit=limit)
    rows(found if as_json else [{**one, "courses": " ".join(one["courses"])} for one in found], as_json, "{identifier:<44} {courses}",
         "nobody is waited for")
