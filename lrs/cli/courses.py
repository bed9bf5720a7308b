"""`lrs courses`: the catalogue, from CSV or JSON files, and its versions."""
from __future__ import annotations

import sys
from json import dumps
from typing import Any, BinaryIO

import click

from lrs.cli.maps import add_versions, in_words, proposed, store_of, text_of
from lrs.cli.opened import BadInput, opened, who
from lrs.cli.progress import progress
from lrs.config import Settings
from lrs.errors import WrongState
from lrs.management import courses, maps


@click.group()
def command() -> None:
    """Courses: the catalogue that says what can be completed."""


@command.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--note", default="", help="Why, for the list of versions.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def import_(settings: Settings, file: BinaryIO, note: str, as_json: bool) -> None:
    """Read courses from a CSV FILE (- for stdin), in force at once. This is propose, diff and apply in one
    step. Every refused row is reported, and what was released.

    Columns: id (required), title, aliases, provider, single_au, all_of, repeat_after_days, attempts, hris_type,
    sessions, attendance_percent. An id that is no IRI becomes <public URL>/courses/<id>, as in the LMS's webhook.
    Exit code 1 if a row was refused; the others are taken.
    """
    given = _read(file, settings)
    with opened(settings, first=True) as store:
        step, refused = courses.step_of(store, given)
        number, told = 0, None
        if step.put or step.removed:
            number = courses.propose_step(store, step, who=who(), note=note or "import").number
            with progress("reading history") as tell:
                told = maps.diff(store, "courses", number, tell)
            try:
                maps.apply(store, "courses", number, who=who())
            except WrongState as error:
                raise WrongState(f"nothing was imported, import again: {error}") from error
    taken = len(given.courses) - sum(1 for one in refused if one.line in {line for line, _ in given.courses})
    if as_json:
        result: dict[str, Any] = {"courses": taken, "refused": [{"line": one.line, "why": one.why} for one in refused],
                                  "version": number or None, "changed": len(step.put), "released": told.released if told else {}}
        click.echo(dumps(result))
    else:
        click.echo(f"{taken} courses imported, {len(refused)} rows refused")
        for was, became in given.renamed:
            click.echo(f"  {was} is no IRI: listed as {became}", err=True)
        for one in refused:
            click.echo(f"  line {one.line}: {one.why}", err=True)
        if told and (told.events or told.parked or told.kept):
            click.echo("\n".join(in_words(told)))
        if number:
            click.echo(f"version {number} of the course map; take it back: lrs courses rollback")
    if refused:
        sys.exit(1)


@command.command()
@click.argument("file", type=click.File("rb"), required=False)
@click.option("--remove", multiple=True, metavar="ID", help="Also take this course away; may be repeated.")
@click.option("--note", default="", help="Why, for the list of versions.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def propose(settings: Settings, file: BinaryIO | None, remove: tuple[str, ...], note: str, as_json: bool) -> None:
    """Propose a version of the catalogue from FILE (- for stdin). Every fault is named, nothing is changed yet.

    CSV as for import, or JSON: {"put": [{"id": …, "sessions": […]}], "removed": [id]}.
    """
    if file is None and not remove:
        raise click.UsageError("name a file, or a course to --remove")
    given = _read(file, settings) if file else courses.Read()
    more = courses.read_json({"removed": list(remove)}, settings.public_url)
    given = courses.Read(given.courses, [*given.removed, *more.removed], [*given.refused, *more.refused])
    with store_of(settings, first=True) as store:
        proposed(courses.propose_read(store, given, who=who(), note=note), as_json)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON lines.")
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """List the courses of the catalogue."""
    with opened(settings) as store:
        found = courses.courses(store)
    for course in found:
        click.echo(dumps(courses.as_json(course), ensure_ascii=False) if as_json else f"{course.id:<70} {course.title}")
    if not found and not as_json:
        click.echo("no courses yet: lrs courses import")


@command.command()
@click.argument("course_id", metavar="ID")
@click.pass_obj
def show(settings: Settings, course_id: str) -> None:
    """Show the course with this id or alias, as JSON."""
    with opened(settings) as store:
        found = courses.course(store, course_id)
    if found is None:
        raise click.ClickException(f"the catalogue has no course {course_id}")
    click.echo(dumps(courses.as_json(found), ensure_ascii=False, indent=1))


def _read(file: BinaryIO, settings: Settings) -> courses.Read:
    try:
        return courses.read(text_of(file.read()), settings.public_url)
    except ValueError as error:
        raise BadInput(str(error)) from error


add_versions(command, "courses")
