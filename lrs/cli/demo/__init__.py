"""`lrs demo`: the main job, end to end, with a believable company and real processes."""
from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import click

from lrs.cli.demo.checks import LEGS
from lrs.cli.serve import listen
from lrs.config import BadSetting, Settings
from lrs.errors import NotFound
from lrs.services import store_of


@click.command()
@click.option("--once", is_flag=True, help="Exit after the story instead of serving until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of the LRS; 0 (default) takes a free one.")
@click.pass_obj
def command(settings: Settings, once: bool, port: int) -> None:
    """Watch the main job: statements arrive, are read, and come out as completions.

    Starts an LRS and three vendors' sandboxes (BambooHR, HubSpot, Zoom) as processes, sends the traffic of eight providers
    and a live session over HTTP, and reads every result back: the sandboxes, the feed, the export. Exit code 1 if one is
    not as it must be.
    """
    from lrs.cli.demo.story import tell

    broken = frozenset(filter(None, os.environ.get("LRS_DEMO_BREAK", "").split(",")))
    if wrong := ", ".join(sorted(broken - set(LEGS))):
        raise BadSetting(f'LRS_DEMO_BREAK names some of {", ".join(LEGS)}, with commas between them; not "{wrong}"')
    if settings.store:
        refuse_a_store_in_use(settings)
    if port:
        # whoever answers there would be taken for the demo's own LRS
        listen("127.0.0.1", port).close()
    # a SIGTERM must not leave the processes behind
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="concord-demo-"))
    try:
        code = tell(folder, store=settings.store, port=port, once=once, broken=broken)
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    sys.exit(code)


def refuse_a_store_in_use(settings: Settings) -> None:
    """Raise `BadSetting` for a database that holds anything: the demo's people and keys are no company's."""
    try:
        store_of(settings, first=False).close()
    except NotFound:
        return
    raise BadSetting(f"{settings.shown_place} is in use: the demo needs an empty database (LRS_STORE), or none, for files of its own")
