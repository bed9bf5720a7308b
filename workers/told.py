"""Whether a Celery worker was told to stop: known to its processes at once, and not when their tasks have ended."""
from __future__ import annotations

import contextlib
import mmap
import signal
import threading
from collections.abc import Iterator

from billiard import current_process


class Told:
    """Made before the worker's processes are: they share the byte in which it is written. `told()` says whether to stop."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)
        self._came = False

    def __call__(self) -> bool:
        return self._came or self._byte[0] != 0

    def all(self) -> None:
        """Tell every process of this worker. Takes no lock: for handlers of signals."""
        self._byte[0] = 1

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """A SIGTERM to this process of a pool ends it after this block, and tells it meanwhile. Autoscaling sends one to who is
        idle, or was until now; by itself it raises `SystemExit` wherever the code stands: between a claim and its first call.

        Raises `SystemExit` at the end of the block, if one came.
        """
        # in the main process, and in pools of threads, SIGTERM means something else
        if current_process().name == "MainProcess" or threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(*_: object) -> None:
            self._came = True

        ends = signal.signal(signal.SIGTERM, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, ends)
            if self._came:
                signal.raise_signal(signal.SIGTERM)
