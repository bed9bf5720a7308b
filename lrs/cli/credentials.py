"""`lrs credentials`: who may send and read."""
from __future__ import annotations

import json
import shlex
import sys
from typing import Any

import click

from lrs.auth import launch as launches
from lrs.auth import scopes
from lrs.cli.opened import opened, who
from lrs.cli.tables import JSON, JSON_LINES, labels
from lrs.config import Settings, listening_url
from lrs.management import credentials
from lrs.services import Services

PATIENCE = 20.0


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
@click.option("--origin", "origins", multiple=True, metavar="ORIGIN",
              help="May be repeated. Pages that may use it from a browser (default: those of the setting cors_origins).")
@JSON
@click.pass_obj
def create(settings: Settings, name: str, chosen: tuple[str, ...], provider: str, key: str, secret: str, origins: tuple[str, ...],
           as_json: bool) -> None:
    """Create a credential and show its secret, this once."""
    with opened(settings, first=True) as store:
        made = credentials.create(Services(settings, store), who=who(), name=name, provider=provider, scopes=chosen, key=key, secret=secret,
                                  origins=origins)
    shown = {name: made[name] for name in ("key", "secret", "name", "provider", "scopes", "webhook_secret")}
    labels(shown, as_json)
    if not as_json:
        click.echo("\nThe secret is shown only now. A first statement:\n")
        click.echo(first_statement(settings.public_url, made["key"], made["secret"]))


@command.command()
@click.option("--actor", required=True, help='The learner: an Agent as JSON, or an e-mail address.')
@click.option("--activity", required=True, help="Id (IRI) of the launched activity.")
@click.option("--minutes", default=launches.MINUTES, show_default=True, help="How long it lasts.")
@click.option("--registration", default="", help="The registration, a UUID.")
@click.option("--for", "for_key", default="", metavar="KEY", help="The credential whose provider and authority the statements have.")
@click.option("--origin", "origins", multiple=True, metavar="ORIGIN", help="May be repeated. Pages that may use it from a browser.")
@JSON
@click.pass_obj
def launch(settings: Settings, actor: str, activity: str, minutes: int, registration: str, for_key: str, origins: tuple[str, ...],
           as_json: bool) -> None:
    """Make a credential for one launch of content. One learner, one activity, and over soon.

    `fetch` is the one-time URL of cmi5 content, `query` what its own URL ends with.
    """
    try:
        agent = json.loads(actor) if actor.lstrip().startswith("{") else {"objectType": "Agent", "mbox": f"mailto:{actor}"}
    except ValueError as error:
        raise click.UsageError(f"--actor is no JSON: {error}") from None
    with opened(settings) as store:
        made = credentials.launch(Services(settings, store), who=who(), actor=agent, activity=activity, minutes=minutes,
                                  registration=registration, for_key=for_key, origins=origins)
    labels(made, as_json)


@command.command("list")
@JSON_LINES
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """List the credentials; secrets are not kept and cannot be shown."""
    with opened(settings) as store:
        for one in credentials.listed(store):
            click.echo(json.dumps(one) if as_json else
                       f"{one['key']:<22} {one['name']:<24} {' '.join(one['scopes'])}{'  REVOKED' if one['revoked'] else ''}")


@command.command()
@click.argument("key")
@click.option("--webhook-secret", is_flag=True, help="Also show the secret that signs webhooks to /hooks/lms/KEY; it is logged.")
@JSON
@click.pass_obj
def show(settings: Settings, key: str, webhook_secret: bool, as_json: bool) -> None:
    """Show a credential; its secret is not kept and cannot be shown."""
    with opened(settings) as store:
        shown = credentials.shown(credentials.by_key(store, key))
        if webhook_secret:
            shown["webhook_secret"] = credentials.webhook_secret(store, key, who=who())
    labels(shown, as_json)


@command.command()
@click.argument("key")
@click.pass_obj
def revoke(settings: Settings, key: str) -> None:
    """Close a credential; what it stored stays."""
    with opened(settings) as store:
        last = credentials.last_with_all(store, key)
        credentials.revoke(store, key, who=who(), even_last=True)
    click.echo(f"{key} is revoked: from the next request on it opens nothing")
    if last:
        click.echo("it was the last one with the scope all: nobody can change anything over HTTP until you create another", err=True)


@command.command()
@click.argument("key")
@click.option("--secret", default="", help="Its secret (- asks for it): then the statement is posted over HTTP, as its user would.")
@click.option("--url", default="", help="Where the LRS answers (default: where `lrs serve` listens).")
@JSON
@click.pass_obj
def test(settings: Settings, key: str, secret: str, url: str, as_json: bool) -> None:
    """Send a test statement and say what becomes of it. It completes nothing.

    With --secret it travels over HTTP like the provider's own: address, proxy, key, secret and scope are tested. Without,
    it is stored here as that credential: scope and reading are tested. Exit code 1 if it was not stored.
    """
    if url and not secret:
        raise click.UsageError("--url goes with --secret: without it nothing is sent over HTTP")
    if secret:
        secret = click.prompt("secret", hide_input=True) if secret == "-" else secret
        told = _posted(settings, key, secret, url.rstrip("/") or listening_url(settings).rstrip("/"))
    else:
        with opened(settings) as store:
            told = credentials.test(Services(settings, store), key, who=who())
        told["read"] = f"{told['read']['verb']}: {told['read']['why'] or 'no completion'}"
    labels(told, as_json)
    sys.exit(0 if told.get("id") else 1)


def _posted(settings: Settings, key: str, secret: str, url: str) -> dict[str, Any]:
    """Post the statement as the credential would; what came back, in words."""
    import httpx  # `lrs serve` comes by here, and starts a fifth sooner without it

    statement = credentials.test_statement(settings.public_url, key)
    try:
        answer = httpx.post(f"{url}/xapi/statements", json=statement, auth=(key, secret), timeout=PATIENCE,
                            headers={"X-Experience-API-Version": "1.0.3"})
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return {"failed": f"{url} does not answer: {error}", "help": "is lrs serve running, and is this its address? see --url"}
    try:
        body = answer.json()
    except ValueError:
        return {"status": answer.status_code, "failed": "the answer is no JSON: another program answers at this address, or a proxy"}
    if answer.status_code == 200 and isinstance(body, list) and body:
        return {"status": 200, "id": body[0], "see": f"{url}/xapi/statements?statementId={body[0]}", "triggers": "nothing: it is a test"}
    refused = body if isinstance(body, dict) else {}
    return {"status": answer.status_code, "failed": refused.get("message", "no reason given"), "request_id": refused.get("request_id", "")}


def first_statement(url: str, key: str, secret: str) -> str:
    """A curl command, ready to paste, that stores one statement."""
    statement = {"actor": {"mbox": "mailto:ada@example.com"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
                 "object": {"id": "https://example.com/courses/first"}}
    return (f"curl -u {shlex.quote(f'{key}:{secret}')} -H 'X-Experience-API-Version: 1.0.3' -H 'Content-Type: application/json' \\\n"
            f"  -d '{json.dumps(statement)}' {url.rstrip('/')}/xapi/statements")
