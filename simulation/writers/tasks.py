"""Processes that go on one at a time, each to its next point; at a point any of them can be killed."""
from __future__ import annotations

import threading
from collections.abc import Callable


class Killed(BaseException):
    """The process ends here (kill -9): no code of the product may catch it."""


class Task:
    """A process. Only one runs at any time: whoever lets it go on waits for its next point."""

    def __init__(self, run: Callable[[], None]) -> None:
        self._run, self._thread = run, threading.Thread(target=self._whole, daemon=True)
        self._turn, self._back = threading.Lock(), threading.Lock()
        self._turn.acquire()
        self._back.acquire()
        self._killed = False
        self._fault: BaseException | None = None
        self.ended = False

    def go_on(self) -> None:
        """Let it run to its next point, or its end. Raises what it raised."""
        if not self._thread.ident:
            self._thread.start()
        self._turn.release()
        self._back.acquire()
        if self._fault is not None:
            raise self._fault

    def point(self) -> None:
        """Of the running process: let others go on. Raises `Killed`."""
        if not self._killed:
            self._back.release()
            self._turn.acquire()
        if self._killed:
            raise Killed

    def kill(self) -> None:
        """End it at the point where it is: nothing that it would still do is done."""
        if not self.ended:
            self._killed = True
            self.go_on()

    def _whole(self) -> None:
        self._turn.acquire()
        try:
            if not self._killed:
                self._run()
        except Killed:
            pass
        except BaseException as fault:  # raised in the thread that waits for this one
            self._fault = fault
        finally:
            self.ended = True
            self._back.release()
