"""`lrs courses`: the catalogue from a CSV file."""
from __future__ import annotations

from dataclasses import asdict
from json import dumps
from typing import TextIO

import click

from lrs.cli.directory import import_rows
from lrs.cli.opened import opened
from lrs.config import Settings
from lrs.directory import csv


@click.group()
def command() -> None:
    """Courses: the catalogue that says what can be completed."""


@command.command("import")
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def import_(settings: Settings, file: TextIO, as_json: bool) -> None:
    """Read courses from a CSV FILE (- for standard input); every refused row is reported.

    Columns: id (required), title, aliases, provider, single_au, all_of, repeat_after_days, attempts, hris_type,
    sessions, attendance_percent. What holds several ids separates them by ; or spaces. sessions: ids of live sessions or
    of their series, or activity types, that complete the course when attended; attendance_percent: how much of a session
    (1 to 100) is enough; empty: as the session's connection says.
    Exit code 1 if a row was refused; the others are taken.
    """
    with opened(settings) as store:
        import_rows(file, csv.courses, store.directory.put_courses, "courses", as_json)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON lines.")
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """List the courses of the catalogue."""
    with opened(settings) as store:
        for course in store.directory.courses():
            click.echo(dumps(asdict(course), ensure_ascii=False) if as_json else f"{course.id:<70} {course.title}")
