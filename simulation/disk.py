"""A disk in memory: a commit is one swap of a copy, and a process can be killed, refused or overtaken at any point."""
from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

NEVER = 1 << 60


class Crash(BaseException):
    """The process that runs ends here (kill -9): no code of the product may catch it."""


class Blocked(Crash):
    """The process waits for a lock that the step beneath it holds, and is killed while it waits."""


class Content(Protocol):
    """What a file holds."""

    def copy(self) -> Any:
        """Another one that can be changed without changing this one."""
        ...


C = TypeVar("C", bound=Content)


class Disk:
    """Counts the points that processes pass. When `left` are passed, `act(where)` decides what happens at this one; it
    may raise, or run another process's step there. `where`: read | lock | commit | committed."""

    def __init__(self, act: Callable[[str], None] = lambda where: None) -> None:
        self.act, self.left = act, NEVER

    def point(self, where: str) -> None:
        """A point of the running step."""
        self.left -= 1
        if self.left <= 0:
            self.act(where)


class Write(Generic[C]):
    """A write under way."""

    __slots__ = ("_draft", "_file")

    def __init__(self, file: File[C]) -> None:
        self._file = file

    def __enter__(self) -> C:
        self._draft: C = self._file.begin()
        return self._draft

    def __exit__(self, fault: object, *_: object) -> None:
        self._file.end(self._draft, well=fault is None)


class File(Generic[C]):
    """A file with one writer at a time. `now` is what is committed; it is replaced, never changed."""

    def __init__(self, disk: Disk, content: C) -> None:
        self.now, self._disk = content, disk
        self.version = 0
        self._writer = 0
        self._lock = threading.Lock()

    def read(self) -> C:
        """The snapshot as of now."""
        self._disk.point("read")
        return self.now

    def write(self) -> Write[C]:
        """With it: a copy to change, committed when the block ends well."""
        return Write(self)

    def begin(self) -> C:
        """The copy of who waited for his turn."""
        self._disk.point("lock")
        me = threading.get_ident()
        if self._writer == me:
            raise Blocked
        self._lock.acquire()
        self._writer = me
        return self.now.copy()  # type: ignore[no-any-return]

    def end(self, draft: C, *, well: bool) -> None:
        """Commit it, or do not; the next one's turn."""
        try:
            if well:
                self._disk.point("commit")
                self.now = draft
                self.version += 1
        finally:
            self._writer = 0
            self._lock.release()
        if well:
            self._disk.point("committed")

    @property
    def idle(self) -> bool:
        """Whether nobody writes at this moment."""
        return not self._writer
