"""`lrs sandbox`: a vendor's twin as a process of its own, to rehearse against."""
from __future__ import annotations

import json
import signal
import subprocess
import sys

import click

TWINS = {"hris": "lrs.sandbox.bamboohr", "crm": "lrs.sandbox.hubspot", "webhook": "lrs.sandbox.webhook"}


@click.command()
@click.argument("which", type=click.Choice(list(TWINS)))
@click.option("--port", default=0, help="Port on 127.0.0.1; a free one if 0.")
@click.option("--file", "data", default=":memory:", help="File to keep what it is sent; in memory unless given.")
@click.option("--key", default="", help="The key, token or signing secret it accepts; any if empty.")
@click.option("--json", "as_json", is_flag=True, help="Print where it listens as JSON.")
def command(which: str, port: int, data: str, key: str, as_json: bool) -> None:
    """Run a vendor's twin until Ctrl-C: BambooHR (hris), HubSpot (crm), or a receiver of webhooks."""
    with subprocess.Popen([sys.executable, "-m", TWINS[which], "--port", str(port), "--data", data, "--key", key],
                          stdout=subprocess.PIPE, text=True) as twin:
        # A supervisor's SIGTERM must not leave the twin behind.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(twin.terminate()))
        try:
            line = (twin.stdout.readline() if twin.stdout else "").strip()
            click.echo(json.dumps({"sandbox": which, "url": line.removeprefix("listening on ")}) if as_json else line)
            sys.exit(twin.wait())
        except KeyboardInterrupt:
            pass
        finally:
            twin.terminate()
