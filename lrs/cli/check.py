"""`lrs check`: what is wrong with this configuration, and how to mend it, before anything starts."""
from __future__ import annotations

import json
import sys

import click

from lrs.config import Settings
from lrs.management import check


@click.command("check")
@click.option("--offline", is_flag=True, help="Talk to no target and no broker.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def command(settings: Settings, offline: bool, as_json: bool) -> None:
    """Say what is wrong with this configuration, and how to mend it. Exit code 1 if something will not work."""
    told = check.check(settings, network=not offline)
    if as_json:
        click.echo(json.dumps(check.as_json(told), ensure_ascii=False))
    else:
        for name, found in told.findings.items():
            if not found:
                click.echo(f"ok       {name}")
            for one in found:
                click.echo(f"{one.level:<8} {name}: {one.where}: {one.what}\n         mend: {one.mend}")
        click.echo(", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((told.errors, "error"), (told.warnings, "warning"))))
    sys.exit(1 if told.errors else 0)
