"""`lrs serve`: the LRS on this machine, web and worker, until stopped."""
from __future__ import annotations

import errno
import ipaddress
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from lrs import config, log, metrics
from lrs.auth import credentials
from lrs.cli.credentials import first_statement
from lrs.cli.main import CONFIG_FILE
from lrs.cli.opened import opened
from lrs.config import BadSetting, Settings
from lrs.errors import StoreUnavailable
from lrs.management.check_machine import TLS_FILES, tls
from lrs.serve.supervisor import BACKLOG, CannotStart, Supervisor
from lrs.store.sqlite import served

#: What the first credential may do: everything, so that a newcomer meets no closed door.
FIRST_SCOPES = ("all", "feeds/read")


@click.command("serve")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Data directory (LRS_DATA).")
@click.option("--host", help="Address to listen on (LRS_HOST).")
@click.option("--port", help="Port to listen on (LRS_PORT).")
@click.option("--behind-proxy", is_flag=True, help="A proxy in front speaks TLS with the clients (LRS_BEHIND_PROXY).")
@click.pass_context
def command(ctx: click.Context, data: Path | None, host: str | None, port: str | None, behind_proxy: bool) -> None:
    """Run the LRS: web and worker, until stopped (Ctrl-C, SIGTERM)."""
    environ = dict(os.environ)
    root: Settings = ctx.obj
    chosen = {"LRS_DATA": str(data or root.data), "LRS_HOST": host, "LRS_PORT": port, "LRS_BEHIND_PROXY": "true" if behind_proxy else None}
    environ.update({name: value for name, value in chosen.items() if value is not None})
    environ["LRS_CONFIG"] = str(ctx.meta[CONFIG_FILE])
    settings = config.load(environ, ctx.meta[CONFIG_FILE])
    refuse_open_door(settings)
    refuse_unfit_certificate(settings)
    log.set_up(settings.log_level, settings.log_json)
    listening = listen(settings.host, settings.port)
    with only_one(settings.data, served.Address(settings.host, settings.port, settings.public_url)):
        first_credential(settings)
        metrics.cleared(settings.data / "metrics")
        supervisor = Supervisor(settings, listening, environ)
        try:
            supervisor.start()
        except CannotStart as fault:
            click.echo(f"lrs: {fault}", err=True)
            sys.exit(1)
        _show(settings)
        orderly = supervisor.run()
    click.echo("Stopped." if orderly else "Stopped; something had to be killed.", err=True)
    sys.exit(0 if orderly else 1)


def refuse_open_door(settings: Settings) -> None:
    """Raise `BadSetting` for an address that others can reach when nothing encrypts what they send."""
    try:
        loopback = settings.host == "localhost" or ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        loopback = False
        try:
            socket.getaddrinfo(settings.host, settings.port)
        except (socket.gaierror, UnicodeError):
            raise BadSetting(f"host {settings.host} is no address of this machine") from None
    if not (loopback or settings.tls_certificate or settings.behind_proxy):
        raise BadSetting(
            f"host {settings.host} can be reached from other machines, and credentials would travel in the clear: set tls_certificate "
            "and tls_key, or put a proxy that speaks TLS in front and say --behind-proxy (LRS_BEHIND_PROXY=true)"
        )


def refuse_unfit_certificate(settings: Settings) -> None:
    """Raise `BadSetting` for TLS files that cannot be read, or not be used together."""
    if settings.tls_certificate and settings.tls_key:
        try:
            tls(settings.tls_certificate, settings.tls_key)
        except (OSError, ValueError) as fault:
            raise BadSetting(f"tls_certificate {settings.tls_certificate} and tls_key {settings.tls_key} cannot be used together: {fault}; "
                             f"{TLS_FILES}") from None


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `BadSetting` with what to do when the address cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except socket.gaierror:
        raise BadSetting(f"host {host} is no address of this machine") from None
    except OSError as fault:
        why = {
            errno.EADDRINUSE: f"port {port} on {host} is in use by another program; choose another with --port",
            errno.EACCES: f"port {port} needs more rights than this user has; choose one above 1023 with --port",
            errno.EADDRNOTAVAIL: f"host {host} is no address of this machine",
        }
        raise BadSetting(why.get(fault.errno or 0, f"cannot listen on {host}:{port}: {fault.strerror}")) from None


@contextmanager
def only_one(data: Path, address: served.Address) -> Iterator[None]:
    """Hold the data directory for this process: two LRSs on one directory would each run a web process."""
    with ExitStack() as stack:
        try:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            stack.enter_context(served.held(data, address))
        except BlockingIOError:
            raise BadSetting(f"another `lrs serve` is running on {data.resolve()}; stop it, or choose another --data") from None
        except OSError as fault:
            raise StoreUnavailable(f"the data directory {data} cannot be used: {fault.strerror}") from fault
        yield


def first_credential(settings: Settings) -> None:
    """Migrate the store and, if nobody may talk to it yet, create a credential: shown on a terminal, else written to
    `<data>/first-credential`, which only its owner may read."""
    with opened(settings, first=True) as store:
        if store.credentials.list():
            return
        made = credentials.create(store.credentials, name="First credential", public_url=settings.public_url, scopes=FIRST_SCOPES)
    key = made.credential.key
    if sys.stdout.isatty():
        click.echo(f"\nThe first credential (shown this once):\n\n  key     {key}\n  secret  {made.secret}\n\nA first statement:\n")
        click.echo(first_statement(config.listening_url(settings), key, made.secret) + "\n")
        return
    place = settings.data / "first-credential"
    place.unlink(missing_ok=True)
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"key": key, "secret": made.secret, "scopes": list(FIRST_SCOPES)}, file)
        file.write("\n")
    click.echo(f"The first credential is in {place} (readable by you alone).")


def _show(settings: Settings) -> None:
    here = config.listening_url(settings)
    addresses = {"Statements": "/xapi/statements", "Completions": "/feeds/completions", "API": "/api/v1/docs", "Health": "/health/ready"}
    for label, path in addresses.items():
        click.echo(f"{label:<12} {here}{path}")
    if settings.broker_url:
        click.echo("Work         by Celery: celery -A workers.app worker, and celery -A workers.app beat")
    if settings.store:
        click.echo(f"Store        {settings.shown_place}")
    click.echo(f"Data         {settings.data.resolve()}\nCtrl-C stops it.")
    sys.stdout.flush()
