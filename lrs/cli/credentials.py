"""`lrs credentials`: who may send and read."""
from __future__ import annotations

import json
import shlex
import sys

import click

from lrs.auth import credentials, scopes
from lrs.cli.opened import opened
from lrs.config import Settings


@click.group()
def command() -> None:
    """Credentials: who may send statements, and who may read."""


@command.command()
@click.option("--name", required=True, help="Who uses it; becomes the authority's name in the statements.")
@click.option("--scope", "chosen", multiple=True, metavar="SCOPE",
              help=f"May be repeated. One of: {', '.join(scopes.MEANING)}. Default: {', '.join(sorted(scopes.DEFAULT))}.")
@click.option("--provider", default="", help="Provider whose statements these are (default: the name).")
@click.option("--key", default="", help="Generated unless given.")
@click.option("--secret", default="", help="Generated unless given; at least 32 characters.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_obj
def create(settings: Settings, name: str, chosen: tuple[str, ...], provider: str, key: str, secret: str, as_json: bool) -> None:
    """Create a credential and show its secret, this once."""
    with opened(settings) as store:
        made = credentials.create(store.credentials, name=name, public_url=settings.public_url, provider=provider,
                                  scopes=chosen, key=key, secret=secret)
        signing = credentials.webhook_secret(store.credentials, made.credential.key)
    shown = {"key": made.credential.key, "secret": made.secret, "name": name, "provider": made.credential.provider,
             "scopes": sorted(made.credential.scopes), "webhook_secret": signing}
    if as_json:
        click.echo(json.dumps(shown))
        return
    for label, value in shown.items():
        click.echo(f"{label:<15} {' '.join(value) if isinstance(value, list) else value}")
    click.echo("\nThe secret is shown only now. A first statement:\n")
    click.echo(first_statement(settings.public_url, made.credential.key, made.secret))


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON lines.")
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """List the credentials; secrets are not kept and cannot be shown."""
    with opened(settings) as store:
        for one in store.credentials.list():
            row = {"key": one.key, "name": one.name, "provider": one.provider, "scopes": sorted(one.scopes), "revoked": one.revoked}
            click.echo(json.dumps(row) if as_json else
                       f"{one.key:<22} {one.name:<24} {' '.join(sorted(one.scopes))}{'  REVOKED' if one.revoked else ''}")


@command.command()
@click.argument("key")
@click.pass_obj
def revoke(settings: Settings, key: str) -> None:
    """Close a credential; what it stored stays."""
    with opened(settings) as store:
        if not store.credentials.revoke(key):
            click.echo(f'there is no credential "{key}"; see: lrs credentials list', err=True)
            sys.exit(1)
    click.echo(f"{key} is revoked: from the next request on it opens nothing")


def first_statement(url: str, key: str, secret: str) -> str:
    """A curl command, ready to paste, that stores one statement."""
    statement = {"actor": {"mbox": "mailto:ada@example.com"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
                 "object": {"id": "https://example.com/courses/first"}}
    return (f"curl -u {shlex.quote(f'{key}:{secret}')} -H 'X-Experience-API-Version: 1.0.3' -H 'Content-Type: application/json' \\\n"
            f"  -d '{json.dumps(statement)}' {url.rstrip('/')}/xapi/statements")
