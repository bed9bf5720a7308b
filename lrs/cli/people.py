"""`lrs people`: the directory from a CSV file."""
from __future__ import annotations

from typing import TextIO

import click

from lrs.cli.directory import import_rows
from lrs.cli.opened import opened
from lrs.config import Settings
from lrs.directory import csv


@click.group()
def command() -> None:
    """People: who the learners are, and by which identifiers they are known."""


@command.command("import")
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def import_(settings: Settings, file: TextIO, as_json: bool) -> None:
    """Read people from a CSV FILE (- for standard input); every refused row is reported.

    Columns: employee_id (required), email, name, department, job_code, hris_id, crm_id, aliases, identifiers.
    Exit code 1 if a row was refused; the others are taken.
    """
    with opened(settings) as store:
        import_rows(file, csv.people, store.directory.put_people, "people", as_json)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON lines.")
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """List the people of the directory."""
    with opened(settings) as store:
        for person in store.directory.people():
            if as_json:
                from dataclasses import asdict
                from json import dumps
                click.echo(dumps(asdict(person), ensure_ascii=False))
            else:
                click.echo(f"{person.employee_id:<12} {person.name:<28} {person.email:<34} {len(person.identifiers)} identifiers")
