"""`lrs connections`: live sessions coming in."""
from __future__ import annotations

import click

from lrs.cli.opened import opened, who
from lrs.cli.tables import JSON, JSON_LINES, SET, labels, rows, settings_of
from lrs.config import Settings
from lrs.management import connections
from lrs.services import Services
from lrs.sources.registry import SOURCES
from lrs.store.protocols.connections import Connection


@click.group()
def command() -> None:
    """Connections: outside sources of live sessions, whose webhooks and reports come in."""


@command.command()
@click.argument("name")
@click.option("--source", required=True, help=f"One of: {', '.join(SOURCES)}.")
@SET
@click.option("--provider", default="", help="Provider of its statements (default: the name).")
@click.option("--credential", default="", help="Key of a credential with the scope statements/write; default: one is made.")
@JSON
@click.pass_obj
def add(settings: Settings, name: str, source: str, pairs: tuple[str, ...], provider: str, credential: str, as_json: bool) -> None:
    """Add a connection and say what is left to do at the source. `lrs connections sources` lists the settings."""
    with opened(settings, first=True) as store:
        given = {name: value for name, value in settings_of(pairs).items() if value is not None}
        made = connections.add(Services(settings, store), who=who(), name=name, source=source, settings=given, provider=provider,
                               credential=credential)
    steps = connections.next_steps(settings.public_url, made)
    shown = connections.shown(settings.public_url, made)
    labels({**shown, "next_steps": steps} if as_json else shown, as_json)
    if not as_json:
        click.echo("\nWhat is left to do:")
        for n, step in enumerate(steps, 1):
            click.echo(f"  {n}. {step}")


@command.command()
@JSON_LINES
@click.pass_obj
def sources(settings: Settings, as_json: bool) -> None:
    """List the sources and what each asks for."""
    found = [{"source": source, "name": one.name, "kind": one.kind, "required": one.required, "help": one.help}
             for source, schema in SOURCES.items() for one in schema]
    shown = found if as_json else [{**one, "required": "required" if one["required"] else ""} for one in found]
    rows(shown, as_json, "{source:<8} {name:<20} {kind:<7} {required:<9} {help}", "none")


@command.command("list")
@JSON_LINES
@click.pass_obj
def list_(settings: Settings, as_json: bool) -> None:
    """List the connections."""
    with opened(settings) as store:
        rows(connections.listed(store, settings.public_url), as_json, "{name:<20} {source:<8} {state:<8} {hook}",
             "no connections yet: lrs connections add")


@command.command()
@click.argument("name")
@JSON
@click.pass_obj
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Show a connection; its secrets are masked."""
    with opened(settings) as store:
        one = connections.by_name(store, name)
    labels({**connections.shown(settings.public_url, one), "secrets_taken": connections.secrets_taken(one)}, as_json)


@command.command("set")
@click.argument("name")
@SET
@JSON
@click.pass_obj
def set_(settings: Settings, name: str, pairs: tuple[str, ...], as_json: bool) -> None:
    """Change settings; the others stay. SETTING= takes one away."""
    if not pairs:
        raise click.UsageError("nothing to change: --set SETTING=VALUE")
    with opened(settings) as store:
        one = connections.change(store, name, settings_of(pairs), who=who())
    labels(connections.shown(settings.public_url, one), as_json)


@command.command()
@click.argument("name")
@click.pass_obj
def pause(settings: Settings, name: str) -> None:
    """Take nothing more over this connection. The source is answered 403."""
    _said(_state(settings, name, "paused"))


@command.command()
@click.argument("name")
@click.pass_obj
def resume(settings: Settings, name: str) -> None:
    """Take what comes over this connection again."""
    _said(_state(settings, name, "active"))


@command.command()
@click.argument("name")
@click.option("--secret", default="", help="The new secret (- asks for it); the one that was newest is taken beside it.")
@click.option("--done", is_flag=True, help="Take only the newest secret from now on.")
@click.pass_obj
def rotate(settings: Settings, name: str, secret: str, done: bool) -> None:
    """Change the source's secret without a gap. First --secret NEW; then, once the source signs with it, --done."""
    if bool(secret) == done:
        raise click.UsageError("give --secret NEW, or --done")
    with opened(settings) as store:
        if done:
            connections.finish_rotation(store, name, who=who())
            click.echo(f"{name} takes the newest secret only")
        else:
            new = click.prompt("secret", hide_input=True) if secret == "-" else secret
            connections.rotate(store, name, new, who=who())
            click.echo(f"{name} takes the new secret, and the one before it until: lrs connections rotate {name} --done")


@command.command()
@click.argument("name")
@click.option("--limit", default=20, type=click.IntRange(1, 10_000), help="At most so many.")
@JSON_LINES
@click.pass_obj
def payloads(settings: Settings, name: str, limit: int, as_json: bool) -> None:
    """Show what came over a connection as it came, the newest first."""
    with opened(settings) as store:
        rows(connections.payloads(store, name, limit=limit), as_json, "{n:>6} {at} {kind:<34} {note}",
             "nothing came yet, or it is kept no longer")


def _state(settings: Settings, name: str, state: str) -> Connection:
    with opened(settings) as store:
        return connections.set_state(store, name, state, who=who())


def _said(one: Connection) -> None:
    click.echo(f"{one.name} is {one.state}")
