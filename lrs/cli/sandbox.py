"""`lrs sandbox`: a vendor's twin as a process of its own, to rehearse against."""
from __future__ import annotations

import json
import signal
import subprocess
import sys

import click

from lrs.sandbox.faults import KINDS, BadFault, fault

TWINS = {"hris": "lrs.sandbox.bamboohr", "crm": "lrs.sandbox.hubspot", "webhook": "lrs.sandbox.webhook", "zoom": "lrs.sandbox.zoom"}

_EPILOG = "\b\nFaults, each KIND[:ARG][@SHARE|xTIMES][ /path][ ~TEXT]:\n" + "\n".join(
    f"  {kind:<12} {what}" for kind, what in KINDS.items()) + """

\b
Examples:
  lrs sandbox crm --key token --fault throttle:2x3       the first three requests: 429, Retry-After: 2
  lrs sandbox webhook --fault reset@0.3 --seed 7         three requests in ten are reset
  lrs sandbox hris --fault 'status:422 ~00417'           every request that names 00417 is refused
  curl -d '"status:503x5"' http://127.0.0.1:PORT/sandbox/faults      switch one on while it runs
  curl -X DELETE http://127.0.0.1:PORT/sandbox/faults                switch all off
"""


@click.command(epilog=_EPILOG)
@click.argument("which", type=click.Choice(list(TWINS)))
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; a free one if 0.")
@click.option("--file", "data", default=":memory:", help="File to keep what it is sent; in memory unless given.")
@click.option("--key", default="", help="The key, token or signing secret it accepts; any if empty.")
@click.option("--fault", "faults", multiple=True, metavar="FAULT", help="A fault on demand; may be repeated.")
@click.option("--seed", default=0, help="Which requests a share hits follows from it.")
@click.option("--json", "as_json", is_flag=True, help="Print where it listens as JSON.")
def command(which: str, port: int, data: str, key: str, faults: tuple[str, ...], seed: int, as_json: bool) -> None:
    """Run a vendor's twin until Ctrl-C: BambooHR (hris), HubSpot (crm), a receiver of webhooks (webhook), or Zoom (zoom)."""
    try:
        for one in faults:
            fault(one)
    except BadFault as wrong:
        raise click.UsageError(str(wrong)) from wrong
    asked = [part for one in faults for part in ("--fault", one)]
    options = ["--port", str(port), "--data", data, "--key", key, "--seed", str(seed), *asked]
    with subprocess.Popen([sys.executable, "-m", TWINS[which], *options],
                          stdout=subprocess.PIPE, text=True) as twin:
        # A supervisor's SIGTERM must not leave the twin behind.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(twin.terminate()))
        try:
            line = (twin.stdout.readline() if twin.stdout else "").strip()
            if line:
                click.echo(json.dumps({"sandbox": which, "url": line.removeprefix("listening on ")}) if as_json else line)
            sys.exit(twin.wait())
        except KeyboardInterrupt:
            pass
        finally:
            twin.terminate()
