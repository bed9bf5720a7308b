"""The turns of a file's writers, over all processes: the kernel's fair lock, waited for with patience and not for ever."""
from __future__ import annotations

import fcntl
import os
import threading

from lrs.errors import StoreUnavailable


class Turns:
    """An exclusive `flock` on an open file, for one thread of this process at a time; owns the descriptor.

    Only a call that blocks stands in the kernel's queue, and such a call cannot be given up. So it is made by a thread of
    its own when the lock is not free at once; who asks waits for that thread as long as he has patience. A lock that comes
    when nobody waits any more is given back.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._queued = self._wanted = self._got = False

    def take(self, seconds: float) -> None:
        """Return when it is our turn. Raises `StoreUnavailable` when it is not within so many seconds."""
        with self._changed:
            if not self._queued:
                try:
                    fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                except OSError:
                    self._queued = True
                threading.Thread(target=self._queue, daemon=True, name="turns").start()
            self._wanted = True
            if not self._changed.wait_for(lambda: self._got, seconds):
                self._wanted = False
                raise StoreUnavailable(f"another process holds the write lock for more than {seconds:g} s")
            self._queued = self._wanted = self._got = False

    def give(self) -> None:
        """End our turn."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the descriptor, with whatever lock is on it."""
        with self._changed:
            os.close(self._descriptor)
            self._descriptor = -1  # the number may soon be another file's

    def _queue(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            got = True
        except OSError:
            got = False  # closed, or a file system without locks: who waits learns that his time is over
        with self._changed:
            if got and self._wanted:
                self._got = True
                self._changed.notify_all()
                return
            self._queued = False
            if got and self._descriptor >= 0:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
