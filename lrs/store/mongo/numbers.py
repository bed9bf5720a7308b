"""Numbers in the order of commit: of two transactions that draw one, the second begins again and sees the first."""
from __future__ import annotations

from bson import Int64

from lrs.store.mongo.database import Calls, Document

INDEXES: dict[str, dict[str, list[tuple[str, int]]]] = {"numbers": {}}


def seeds(*names: str) -> list[Document]:
    """The documents of sequences that have given nothing yet."""
    return [{"_id": name, "n": Int64(0)} for name in names]


def draw(calls: Calls, name: str, count: int = 1) -> int:
    """The first of `count` numbers of a sequence, in the caller's transaction."""
    calls.update("numbers", {"_id": name}, {"$inc": {"n": Int64(count)}})
    found = calls.one("numbers", {"_id": name})
    assert found is not None, f"the sequence {name} is made by migrate"
    return int(found["n"]) - count + 1


def last(calls: Calls, name: str) -> int:
    """The greatest number that was given, 0 if none was."""
    found = calls.one("numbers", {"_id": name})
    return int(found["n"]) if found else 0
