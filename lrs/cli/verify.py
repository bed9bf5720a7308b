"""`lrs verify`: every promise of the store, looked at in all that it keeps."""
from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from lrs.cli.opened import opened
from lrs.cli.progress import steps
from lrs.cli.tables import JSON_LINES, printable
from lrs.config import Settings
from lrs.errors import Lost
from lrs.management import verify
from lrs.management.broken import Broken

PRINTED = 1_000
"""Lines for people; `--json` has all."""


@click.command("verify")
@JSON_LINES
@click.pass_obj
def command(settings: Settings, as_json: bool) -> None:
    """Walk the whole store, also beside a running LRS, and name every promise that does not hold. Exit code 1 if there is one."""
    found = 0
    try:
        with opened(settings) as store, steps("verify") as told:
            count = store.statements.count()
            for one in verify.verify(store, told):
                found += 1
                if as_json or found <= PRINTED:
                    _show(one, as_json)
    except Lost as loss:
        _show(Broken("whole", settings.shown_place, str(loss)), as_json)
        sys.exit(1)
    if not as_json:
        click.echo(f"{count} statements: " + (f"{found} broken promise{'' if found == 1 else 's'}" if found else "every promise holds"))
    sys.exit(1 if found else 0)


def _show(one: Broken, as_json: bool) -> None:
    click.echo(json.dumps(asdict(one), ensure_ascii=False) if as_json else printable(f"{one.promise:<10} {one.where}: {one.seen}"))
