"""What `lrs verbs` and `lrs courses` share: versions of a map, their diff, apply and rollback, in words and as JSON."""
from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from lrs.cli.opened import BadInput, opened, who
from lrs.cli.progress import progress
from lrs.config import Settings
from lrs.errors import Invalid
from lrs.management import maps
from lrs.store.open_store import Store
from lrs.store.protocols.mappings import Mapping

_JSON = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
NOT_OF_THE_FILE = ("mapping.empty", "mapping.unknown")
"""Rules that a sound file can break."""


def text_of(data: bytes) -> str:
    """The text of a file; `BadInput` where it is not in UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"the file is not in UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error


@contextmanager
def store_of(settings: Settings, *, first: bool = False) -> Iterator[Store]:
    """The settings' store; what concerns no row of a file is one plain sentence; exit code 1 where nothing is
    wrong with the file."""
    with opened(settings, first=first) as store:
        try:
            yield store
        except Invalid as error:
            first = error.findings[0]
            if len(error.findings) == 1 and not first.where and first.index is None:
                raise (click.ClickException if first.rule in NOT_OF_THE_FILE else BadInput)(first.why) from error
            raise


def add_versions(group: click.Group, kind: str) -> None:
    """Give the noun its commands diff, apply, rollback and versions."""

    @group.command("diff", help="Say what version NUMBER would change on history. Readings, completions, what no longer counts. "
                                "Nothing is written.")
    @click.argument("number", type=click.IntRange(1))
    @_JSON
    @click.pass_obj
    def diff(settings: Settings, number: int, as_json: bool) -> None:
        with store_of(settings) as store, progress("reading history") as tell:
            told = maps.diff(store, kind, number, tell)
        click.echo(json.dumps(maps.as_json(told), ensure_ascii=False) if as_json else "\n".join(in_words(told)))

    @group.command("apply", help="Put version NUMBER in force. History is read again by the worker: what was never sent is released, "
                                 "nothing is sent twice, nothing is revoked.")
    @click.argument("number", type=click.IntRange(1))
    @_JSON
    @click.pass_obj
    def apply(settings: Settings, number: int, as_json: bool) -> None:
        with store_of(settings) as store:
            _say(maps.apply(store, kind, number, who=who()), as_json)

    @group.command("rollback", help="Put back what stood before the active version. It gets a new number; twice: as it was.")
    @click.option("--note", default="", help="Why, for the list of versions.")
    @_JSON
    @click.pass_obj
    def rollback(settings: Settings, note: str, as_json: bool) -> None:
        with store_of(settings) as store:
            _say(maps.rollback(store, kind, who=who(), note=note), as_json)

    @group.command("versions", help="List the versions, the newest first. And whether history was read again with each.")
    @click.option("--json", "as_json", is_flag=True, help="Print as JSON lines.")
    @click.pass_obj
    def versions(settings: Settings, as_json: bool) -> None:
        with opened(settings) as store:
            rows = maps.versions(store, kind)
        for row in rows:
            history = f", history {row['history']}" if row["history"] else ""
            click.echo(json.dumps(row, ensure_ascii=False) if as_json else
                       f"{row['number']:>4}  {row['state']:<9} {row['at'][:19]}  {row['who']:<16} {row['note']}{history}")
        if not rows and not as_json:
            click.echo(f"no version of the {kind} map was ever proposed")


def proposed(made: Mapping, as_json: bool) -> None:
    """Say that a version was proposed, and what to do next."""
    if as_json:
        click.echo(json.dumps(told(made)))
        return
    click.echo(f"version {made.number} of the {made.kind} map proposed; nothing is changed yet")
    click.echo(f"see what it would change: lrs {made.kind} diff {made.number}; put it in force: lrs {made.kind} apply {made.number}")


def told(made: Mapping) -> dict[str, Any]:
    """A version as plain data, without its document."""
    return {"kind": made.kind, "number": made.number, "state": made.state, "base": made.base, "note": made.note, "who": made.who}


def in_words(told: maps.Diff) -> list[str]:
    """The diff for people, line by line."""
    lines = [f"{told.statements} statements looked at, {told.unchanged} of them keep their reading"]
    lines += [f"  {row['count']:>7}  {row['provider']:<16} {row['verb']}: {row['old']} → {row['new']}" for row in told.readings]
    lines.append(f"{told.events} event{'' if told.events == 1 else 's'} would be sent")
    lines += [f"  {count:>7}  {name}" for name, count in sorted(told.released.items())]
    lines += [f"           e.g. {one['event']} {one['status']} for employee {one['person']}: {one['course']}"
              for one in told.released_samples]
    if told.parked:
        lines.append(f"{told.parked} completion{'' if told.parked == 1 else 's'} would wait until the directory knows the learner")
        lines += [f"           e.g. {one['learner']}: {one['course']}" for one in told.parked_samples]
    if told.kept:
        lines.append(f"{told.kept} statement(s) count no longer, but were sent: that stays, nothing is revoked")
        lines += [f"           e.g. {one['status']} of employee {one['learner']} in {one['course']}" for one in told.kept_samples]
    if told.forgotten:
        lines.append(f"{told.forgotten} statement(s) count no longer, and nothing of it was sent: that is forgotten")
        lines += [f"           e.g. {one['status']} of {one['learner']} in {one['course']}" for one in told.forgotten_samples]
    if not told.settled:
        lines.append("the worker is not through with all statements and earlier changes yet: ask again later for exact counts")
    return lines


def _say(made: Mapping, as_json: bool) -> None:
    click.echo(json.dumps(told(made)) if as_json else
               f"version {made.number} of the {made.kind} map is in force; the worker reads history again: lrs {made.kind} versions")
