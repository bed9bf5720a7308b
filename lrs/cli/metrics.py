"""`lrs metrics`: every metric that `/metrics` answers, as docs/metrics.md has them."""
from __future__ import annotations

import click

from lrs import metrics


@click.command("metrics")
def command() -> None:
    """Every metric of /metrics and what it means (docs/metrics.md)."""
    click.echo(metrics.markdown(), nl=False)
