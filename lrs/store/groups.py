"""Requests of many threads in groups: one of them works for all that wait, then the first who came meanwhile for the next."""
from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar


class Waiting:
    """A request of one thread: what became of it is said by `error` (None: it went well)."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.done = False
        self.told = threading.Lock()
        """Held until its thread is to go on: it is done, or the first that waits."""
        self.told.acquire()


Request = TypeVar("Request", bound=Waiting)


class Groups(Generic[Request]):
    """Each thread waits at a lock of its own. At one lock for all, those who are done would stand in line before the one who is to
    work next, each for as long as it takes to wake up."""

    def __init__(self, group: Callable[[deque[Request]], list[Request]], work: Callable[[list[Request]], None]) -> None:
        """`group`: takes from what waits, which is something, the first and those who go with it. `work`: does them, and says of each
        in its `error` if it failed; groups are worked on one after the other."""
        self._group, self._work = group, work
        self._mutex = threading.Lock()
        self._waiting: deque[Request] = deque()
        self._busy = False

    def run(self, mine: Request) -> None:
        """Return when it is done. Raises its error, and what `work` raised if this thread was the one that worked."""
        with self._mutex:
            self._waiting.append(mine)
            first, self._busy = not self._busy, True
        if not first:
            mine.told.acquire()
        if not mine.done:
            self._lead()
        if mine.error is not None:
            raise mine.error

    def more(self) -> bool:
        """Whether others wait for their group."""
        return bool(self._waiting)

    def _lead(self) -> None:
        with self._mutex:
            group = self._group(self._waiting)
        try:
            self._work(group)
        finally:
            with self._mutex:
                following = self._waiting[0] if self._waiting else None
                self._busy = following is not None
            if following is not None:
                following.told.release()
            for request in group:
                request.done = True
                request.told.release()
