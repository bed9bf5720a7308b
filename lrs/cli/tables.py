"""What the nouns of the command line print alike: a row as JSON or as a line, an object as labels and values."""
from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import click

from lrs.statements.instants import instant

JSON_LINES = click.option("--json", "as_json", is_flag=True, help="Print as JSON lines.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SET = click.option("--set", "pairs", multiple=True, metavar="SETTING=VALUE", help="A setting; may be repeated.")


def rows(found: Iterable[Mapping[str, Any]], as_json: bool, line: str, empty: str) -> None:
    """Print each row, as JSON or by the format `line`; `empty` (on stderr) where there is none."""
    some = False
    for row in found:
        some = True
        click.echo(json.dumps(row, ensure_ascii=False) if as_json else printable(line.format(**row).rstrip()))
    if not some and not as_json:
        click.echo(empty, err=True)


def labels(shown: Mapping[str, Any], as_json: bool = False) -> None:
    """Print an object: as JSON, or a line a member."""
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False))
        return
    for label, value in shown.items():
        text = (" ".join(map(str, value)) if isinstance(value, list) else
                json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value)
        click.echo(printable(f"{label:<15} {text}"))


def printable(text: str) -> str:
    """The text without control characters: what a stranger sent must not command the operator's terminal."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def settings_of(pairs: Iterable[str]) -> dict[str, Any]:
    """`--set name=value` as settings; `name=` takes one away. Raises a usage error for what is no pair."""
    out: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f'--set takes SETTING=VALUE, not "{name[:40]}"')
        out[name.strip()] = value or None
    return out


def moment(ctx: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    """A callback for times: ISO 8601 as µs since 1970 UTC."""
    if not text:
        return None
    at = instant(text)
    if at is None:
        raise click.BadParameter("an ISO 8601 time or date, such as 2026-11-24 or 2026-11-24T12:00:00Z", ctx, parameter)
    return at.micros
