"""`lrs export`: facts or raw statements as CSV, NDJSON or Parquet."""
from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from analytics.dictionary import markdown
from analytics.exports import rows
from analytics.exports.rows import FORMATS, Wanted
from lrs.cli.opened import opened, who
from lrs.config import Settings
from lrs.management import exports


def moment(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """An ISO 8601 time, or the `through` of an earlier manifest, as µs since 1970."""
    try:
        return None if value is None else rows.moment(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def known_verb(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """A canonical verb or an IRI."""
    try:
        return rows.verb(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option("--format", "kind", type=click.Choice(list(FORMATS)), help="File format.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to write into.")
@click.option("--since", callback=moment, help="Only what was stored after this time (ISO 8601), or the `through` of an earlier manifest.")
@click.option("--until", callback=moment, help="Only what was stored up to this time.")
@click.option("--verb", default="", callback=known_verb, help="Only this canonical verb, or verb IRI.")
@click.option("--course", default="", help="Only this course (id or alias).")
@click.option("--raw", is_flag=True, help="The statements themselves instead of facts.")
@click.option("--force", is_flag=True, help="Replace an export with other filters that has this one's name.")
@click.option("--dictionary", is_flag=True, help="Print the columns and exit.")
@click.pass_obj
def command(settings: Settings, kind: str | None, out: Path | None, since: int | None, until: int | None, verb: str, course: str,
            raw: bool, force: bool, dictionary: bool) -> None:
    """Write facts (or raw statements) with a manifest that `sha256sum -c SHA256SUMS` accepts."""
    if dictionary:
        click.echo(markdown(), nl=False)
        return
    if kind is None or out is None:
        raise click.UsageError("--format and --out are needed")
    if until is not None and until <= (since or 0):
        raise click.UsageError("--until must be later than --since: nothing was stored between them")
    began = time.monotonic()
    with opened(settings) as store:
        total = store.statements.count()
        with click.progressbar(length=total, label="rows", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
            try:
                written = exports.write(store, Wanted(since or 0, until, verb, course, raw), kind, out, who=who(),
                                        progress=lambda count, _: bar.update(count), table=settings.facts_folder, force=force)
            except OSError as error:
                click.echo(f"lrs: cannot write to {out}: {error.strerror or error}", err=True)
                sys.exit(1)
        told = f"{datetime.now(UTC).isoformat(timespec='seconds')} {written.rows} rows in {written.file}"
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (settings.data / "last-export.json").write_text(json.dumps({"told": told, "through": written.through}))
    if course and not written.rows:
        click.echo(f"no fact of that time is of the course {course}; lrs courses list says which there are", err=True)
    click.echo(f"{written.rows} rows in {written.file} ({time.monotonic() - began:.1f} s); next time: --since {written.through}")
