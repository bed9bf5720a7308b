"""How far a long command is: a bar on stderr where that is a terminal."""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def steps(label: str) -> Iterator[Callable[[str, float], None]]:
    """A bar that is told what is being done, and the share of it (0 to 1) that is done."""
    bar = Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn(),
                   console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    with bar:
        task = bar.add_task(label, total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)


@contextmanager
def progress(label: str) -> Iterator[Callable[[float], None]]:
    """A bar that is told the share that is done."""
    with steps(label) as tell:
        yield lambda share: tell(label, share)
