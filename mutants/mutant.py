"""What a mutant is: one breakage of one place of the product, the promise it breaks, and the tests that must notice."""
from __future__ import annotations

from dataclasses import dataclass


class Unfit(Exception):
    """The mutant does not fit the tree: its text is not there exactly once, or it changes nothing."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """`breaks` is the promise that no longer holds, in one sentence; `file` is relative to the repository; `old` stands in
    it exactly once and is replaced by `new`. Each of `tests` (pytest node ids; without `[…]` all cases of it, of which one
    is enough) must fail by an assertion of its own. `hangs`: a test that runs into its time limit has noticed, too."""

    name: str
    breaks: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    hangs: bool = False

    def applied(self, text: str) -> str:
        """The text of the file with the breakage in it. Raises `Unfit`."""
        found = text.count(self.old)
        if found != 1:
            raise Unfit(f"{self.name}: its text is found {found} times in {self.file}, not once")
        if self.old == self.new:
            raise Unfit(f"{self.name}: it changes nothing")
        return text.replace(self.old, self.new)
