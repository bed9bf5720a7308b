"""Which version of the layout a database has: what an empty one is made to, and what is refused."""
from __future__ import annotations

from collections.abc import Callable, Sequence

from bson import Int64

from lrs.errors import Lost, WrongState
from lrs.store.mongo.database import Database, Layout

NAME = "schema"
VERSION = 1
"""What this version of the product makes and needs. A later one may add collections, indexes and fields, so that processes of this
version can go on beside it; they do not start any more."""
BEGUN = 0
"""Of a database whose first migration is under way: whoever meets it does it too, since it may be done twice and at once."""
LAYOUT = Layout({NAME: {}})


def needs_first(database: Database, layouts: Sequence[Layout]) -> bool:
    """Whether the database is new: empty, or its first migration is not finished. Raises `WrongState`, with what to do, for one that
    is of another version than this one, or of which nothing says what it is, and `Lost` for one that lacks a collection it had."""
    # in this order: another that makes it at this moment writes its version before anything else
    there, found = database.collections(), _version(database)
    if found is None:
        if there <= {NAME}:
            return True
        raise WrongState("this MongoDB database is not empty, and nothing in it says which version made it: is it the right one? "
                         "`lrs migrate` adds what the LRS needs, and touches nothing else")
    _refuse_later(found)
    if BEGUN < found < VERSION:
        raise WrongState(f"this MongoDB database is of an earlier version (schema {found}, needed is {VERSION}): run `lrs migrate`; "
                         "processes of the earlier version may go on meanwhile")
    gone = sorted({name for layout in layouts for name in layout.indexes} - there)
    if found == VERSION and gone:
        raise Lost(f"this MongoDB database had collections that are gone: {', '.join(gone)}. Restore a backup (docs/mongodb.md); to go on "
                   "without what was in them: lrs migrate makes them anew, empty")
    return found == BEGUN


def migrate(database: Database, layouts: Sequence[Layout], told: Callable[[str, float], None]) -> None:
    """Bring the database to `VERSION`; does nothing where it is. Raises `WrongState` for one of a later version."""
    database.check()
    found = _version(database)
    if found is None:
        with database.alone() as calls:
            calls.update(NAME, {"_id": 1}, {"$setOnInsert": {"version": Int64(BEGUN)}}, upsert=True)
    else:
        _refuse_later(found)
    database.migrate(LAYOUT, *layouts, told=told)
    with database.alone() as calls:
        # never down: a later version may have been faster
        calls.update(NAME, {"_id": 1}, {"$max": {"version": Int64(VERSION)}})


def _version(database: Database) -> int | None:
    with database.read() as calls:
        found = calls.one(NAME, {"_id": 1})
    return int(found["version"]) if found else None


def _refuse_later(found: int) -> None:
    if found > VERSION:
        raise WrongState(f"this MongoDB database is of a later version (schema {found}, this one knows {VERSION}): "
                         "run that version of Concord LRS")
