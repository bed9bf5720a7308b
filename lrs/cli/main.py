"""The command line's front door: a noun is loaded when it is used, and every known error is one clear sentence."""
from __future__ import annotations

import dataclasses
import importlib
import io
import os
import re
import sys
from pathlib import Path

import click

from lrs import config
from lrs.errors import Conflict, Damaged, Forbidden, Invalid, NotFound, StoreUnavailable, TooLarge, WrongState
from lrs.store.sqlite import served

#: noun → what it does; the module `lrs.cli.<noun>` holds the command as `command`.
NOUNS = {
    "serve": "Run the LRS: web and worker, until stopped.",
    "demo": "Watch the main job, end to end, with a believable company.",
    "check": "What is wrong with this configuration, and how to mend it.",
    "status": "One screen: accepted, refused, parked, waiting, dead, last export.",
    "settings": "Every setting with its value.",
    "metrics": "Every metric of /metrics, and what it means.",
    "migrate": "Create or renew tables, collections and indexes.",
    "credentials": "Who may talk to this LRS: create, list, test, revoke.",
    "connections": "Live sessions coming in (Zoom): add, list, rotate.",
    "people": "Who statements are about: import, list, waiting.",
    "courses": "What can be completed: import, list, propose, apply.",
    "verbs": "How statements are read: explain, unmapped, propose, apply.",
    "targets": "Where completions go: add, list, pause, resume, test.",
    "deliveries": "What was sent and what was not: list, show, replay.",
    "rejections": "What was refused, and why: list, show.",
    "audit": "Who changed what: list.",
    "facts": "The table of facts for analysts: status, rebuild.",
    "export": "Write facts or raw statements as CSV, NDJSON or Parquet.",
    "backup": "Copy everything while the LRS runs, verified.",
    "restore": "A data directory from a backup, checked first.",
    "move": "Everything from one store to another: SQLite files, MongoDB.",
    "verify": "Walk the store and name every promise that does not hold.",
    "sandbox": "Run a vendor's twin to rehearse against.",
}

#: error → exit code; documented in the README and `lrs --help`.
EXIT_CODES: dict[type[BaseException], int] = {
    Invalid: 65,
    TooLarge: 65,
    Conflict: 65,
    Damaged: 65,
    Forbidden: 77,
    NotFound: 1,
    WrongState: 1,
    StoreUnavailable: 75,
    config.BadSetting: 78,
    OSError: 1,
}


#: Under this name a command finds the path of the settings file in its context.
CONFIG_FILE = "lrs.config_file"


class Nouns(click.Group):
    """A group whose commands are imported only when named: `lrs status` does not pay for DuckDB."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every noun, in the order of the table."""
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this noun, None if there is none of that name."""
        if cmd_name not in NOUNS:
            return None
        command: click.Command = importlib.import_module(f"lrs.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the nouns from the table, without importing them."""
        with formatter.section("Nouns"):
            formatter.write_dl(list(NOUNS.items()))


_EPILOG = "Exit codes: 0 done, 1 failed, 2 wrong usage, 65 bad input, 75 store unavailable, 77 forbidden, 78 bad settings."


@click.group(cls=Nouns, epilog=_EPILOG)
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Data directory (LRS_DATA).")
@click.option("--config", "config_file", type=click.Path(path_type=Path, dir_okay=False),
              help="Settings file; default: lrs.toml, if there is one.")
@click.version_option(package_name="concord-lrs")
@click.pass_context
def command(ctx: click.Context, data: Path | None, config_file: Path | None) -> None:
    """Concord LRS: statements in, completions out, nothing lost."""
    chosen = config_file or Path(os.environ.get("LRS_CONFIG") or "lrs.toml")
    if not os.path.exists(chosen) and (config_file or os.environ.get("LRS_CONFIG")):
        raise config.BadSetting(f"there is no settings file {chosen}, or not for this user")
    settings = config.load(os.environ, chosen)
    ctx.meta[CONFIG_FILE] = chosen
    ctx.obj = _as_served(dataclasses.replace(settings, data=data) if data else settings)


def _as_served(settings: config.Settings) -> config.Settings:
    """The settings, where they say nothing of the address with that of the last `lrs serve` on the data directory: the account of a
    credential's authority and a course id that is no IRI must be the same whoever makes them."""
    unsaid = config.load({})
    if (settings.host, settings.port, settings.public_url) != (unsaid.host, unsaid.port, unsaid.public_url):
        return settings
    address = served.last_address(settings.data)
    return settings if address is None else dataclasses.replace(settings, **dataclasses.asdict(address))


def _sentence(error: BaseException) -> str:
    if isinstance(error, Invalid):
        lines = [f"  {'' if f.index is None else f'{f.index}: '}{f.where or '/'}: {f.why} [{f.rule}]" for f in error.findings[:20]]
        return "\n".join([f"{len(error.findings)} rule{'' if len(error.findings) == 1 else 's'} broken:", *lines])
    return str(error)


def main() -> None:
    """The console script `lrs`: known errors end in a sentence on stderr and the exit code of the table."""
    if any(re.search("[\ud800-\udfff]", argument) for argument in sys.argv[1:]):
        # bytes that are no UTF-8 reach us as lone surrogates, which no file of ours can hold
        click.echo("lrs: an argument is not UTF-8 text", err=True)
        sys.exit(2)
    for stream in (sys.stdout, sys.stderr):
        # a terminal that knows few characters gets a ? for the others, and no traceback
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="replace")
    try:
        command(prog_name="lrs")
    except tuple(EXIT_CODES) as error:
        click.echo(f"lrs: {_sentence(error)}", err=True)
        sys.exit(next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind)))
