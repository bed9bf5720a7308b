"""One MongoDB database: calls under a deadline, transactions repeated until they stand, collections and indexes by migrate only."""
from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import pymongo
from bson.codec_options import CodecOptions
from pymongo import IndexModel, MongoClient, ReadPreference, WriteConcern
from pymongo.client_session import ClientSession
from pymongo.database import Database as Named
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError
from pymongo.monitoring import CommandListener
from pymongo.read_concern import ReadConcern

from lrs.errors import StoreUnavailable, Undecided, WrongState

Document = dict[str, Any]
Result = TypeVar("Result")
Write = pymongo.UpdateOne | pymongo.ReplaceOne[Document] | pymongo.InsertOne[Document] | pymongo.DeleteOne
DUPLICATE, CONFLICT = 11000, 112
UNKNOWN = "UnknownTransactionCommitResult"
PATIENCE = 5.0
"""Seconds that a call may take, and a transaction with all its repetitions."""
HELD_UP = 1.0
"""Seconds of repetitions after which one looks whether what is in the way was left behind."""
LONGEST_PAUSE = 0.02
"""Seconds between two tries: who waits longer does not meet the moment between two transactions of one who has much to do."""
UNDOING = 1.0
"""Seconds for the end of a transaction that did not stand, beyond those it had."""
DURABLE = WriteConcern("majority", j=True)
STANDALONE = (
    "this MongoDB is a single server without a replica set, and has no transactions. One node is enough; to mend it:\n"
    "  mongod --replSet rs0 … (or replication.replSetName: rs0 in mongod.conf), started again\n"
    '  mongosh --eval "rs.initiate()"'
)


class Standalone(StoreUnavailable):
    """The server is no member of a replica set; the text says how it becomes one."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What one part needs: its indexes by collection and name, the documents that must be there (by `_id`), and what is done last, each
    time."""

    indexes: Mapping[str, Mapping[str, Sequence[tuple[str, int]]]]
    seeds: Mapping[str, Callable[[], list[Document]]] = field(default_factory=dict)
    sparse: frozenset[str] = frozenset()
    last: Callable[[Calls], None] | None = None


@contextmanager
def faults() -> Iterator[None]:
    """What the driver raises inside is raised as `StoreUnavailable`."""
    try:
        yield
    except PyMongoError as error:
        raise StoreUnavailable(_brief(error)) from error


def _brief(error: PyMongoError) -> str:
    """What the driver says, without the settings and the topology that follow it."""
    return str(error).partition(" (configured timeouts")[0].partition(", Timeout:")[0]


class Guard(Protocol):
    """Looks after transactions that others have left open (`lrs.store.mongo.abandoned`)."""

    def tell(self, session: ClientSession) -> None:
        """A transaction is about to begin in this session."""
        ...

    def end(self) -> None:
        """A transaction is held up by others."""
        ...


class Calls:
    """The calls of the driver, in a session's transaction or (None) each by itself."""

    def __init__(self, database: Database, session: ClientSession | None = None) -> None:
        self._database, self._session = database, session

    def find(self, name: str, wanted: Document, fields: Document | None = None, *, sort: Sequence[tuple[str, int]] | None = None,
             limit: int = 0) -> list[Document]:
        """The documents that match, all of them in one batch where the limit says how many."""
        return self._database.call(name, lambda c: c.find(wanted, fields, sort=sort, limit=limit, batch_size=limit + 1 if limit else 0,
                                                          session=self._session).to_list())

    def one(self, name: str, wanted: Document, fields: Document | None = None, *,
            sort: Sequence[tuple[str, int]] | None = None) -> Document | None:
        """The first document that matches."""
        found = self.find(name, wanted, fields, sort=sort, limit=1)
        return found[0] if found else None

    def count(self, name: str, wanted: Document, most: int = 0) -> int:
        """How many documents match, counted up to `most` where it is given."""
        limit = {"limit": most} if most else {}
        return int(self._database.call(name, lambda c: c.count_documents(wanted, session=self._session, **limit)))

    def insert(self, name: str, documents: Sequence[Document]) -> None:
        """Add new documents, in order."""
        self._database.call(name, lambda c: c.insert_many(documents, session=self._session))

    def update(self, name: str, wanted: Document, change: Document, *, upsert: bool = False) -> bool:
        """Change the one document that matches; whether there was one."""
        done = self._database.call(name, lambda c: c.update_one(wanted, change, upsert=upsert, session=self._session))
        return bool(done.matched_count > 0)

    def update_many(self, name: str, wanted: Document, change: Document) -> int:
        """Change all documents that match; how many there were."""
        return int(self._database.call(name, lambda c: c.update_many(wanted, change, session=self._session)).matched_count)

    def replace(self, name: str, wanted: Document, document: Document) -> bool:
        """Put a document in the place of the one that matches; whether there was one."""
        return bool(self._database.call(name, lambda c: c.replace_one(wanted, document, session=self._session)).matched_count > 0)

    def write_each(self, name: str, writes: Sequence[Write]) -> None:
        """Several writes, in order, in one call."""
        if writes:
            self._database.call(name, lambda c: c.bulk_write(writes, session=self._session))

    def delete(self, name: str, wanted: Document) -> bool:
        """Delete the one document that matches; whether there was one."""
        return bool(self._database.call(name, lambda c: c.delete_one(wanted, session=self._session)).deleted_count > 0)

    def delete_many(self, name: str, wanted: Document) -> int:
        """Delete all documents that match; how many there were."""
        return int(self._database.call(name, lambda c: c.delete_many(wanted, session=self._session)).deleted_count)


class Database:
    """A client of its own. Writes are acknowledged by the majority, in its journal; reads ask the primary for what the
    majority has. Connects at the first call. Safe to use from many threads."""

    def __init__(self, url: str, listeners: Sequence[CommandListener] = ()) -> None:
        """The database that the URL names, or `lrs`. `retryWrites` is the URL's to turn off. `listeners` hear every command."""
        try:
            self._client: MongoClient[Document] = MongoClient(url, connect=False, timeoutMS=int(PATIENCE * 1000), appname="concord-lrs",
                                                              event_listeners=list(listeners))
            named = self._client.get_default_database("lrs")
            self._database: Named[Document] = named.with_options(
                read_preference=ReadPreference.PRIMARY, write_concern=DURABLE, read_concern=ReadConcern("majority"),
                codec_options=CodecOptions())
        except PyMongoError as error:
            raise StoreUnavailable(_brief(error)) from error
        except ValueError:
            # what the driver says of it may quote a password
            raise StoreUnavailable("what is given as its address is no mongodb:// URL") from None
        self._checked = False
        self._local = threading.local()
        self.guard: Guard | None = None

    def call(self, name: str, what: Callable[[Any], Result]) -> Result:
        """One call of the driver on a collection. Every one goes through here."""
        return what(self._database[name])

    @contextmanager
    def read(self) -> Iterator[Calls]:
        """Calls that see what a majority has, one after the other, each at least what the one before it saw; within `snapshot`
        all of them what it saw."""
        if (moment := getattr(self._local, "moment", None)) is not None:
            with faults():
                yield moment
            return
        with faults(), self._client.start_session(causal_consistency=True) as session:
            yield Calls(self, session)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What this thread reads within is of one moment: a transaction, which the server ends after a while
        (`transactionLifetimeLimitSeconds`, 60 where nobody has changed it); a look after that raises `StoreUnavailable`."""
        with faults(), self._client.start_session() as session:
            session.start_transaction(ReadConcern("snapshot"), DURABLE, ReadPreference.PRIMARY)
            self._local.moment = Calls(self, session)
            try:
                yield
            finally:
                self._local.moment = None
                _undo(session)

    @contextmanager
    def alone(self) -> Iterator[Calls]:
        """Calls each of which is a write by itself, repeated by the driver when its answer was lost."""
        with faults():
            yield Calls(self)

    def session(self) -> ClientSession:
        """A session of one's own, for `write`, by whose id others can end what it leaves open."""
        with faults():
            return self._client.start_session()

    def end_session(self, session_id: Document, seconds: float) -> None:
        """Have the server undo what a session has left open. Costs at most so many seconds."""
        with faults(), pymongo.timeout(seconds):
            self._client.admin.command("killSessions", [session_id])

    def write(self, work: Callable[[Calls], Result], session: ClientSession | None = None) -> Result:
        """What `work(calls)` returned, in one transaction that is durable on return; nothing when it raises.

        `work` runs again, from the start, when another transaction wrote what it writes; it must keep nothing from
        one time to the next. Raises `StoreUnavailable` when it does not stand within PATIENCE.
        """
        self.check()
        with faults(), nullcontext(session) if session else self._client.start_session() as used:
            if self.guard:
                self.guard.tell(used)
            try:
                with pymongo.timeout(PATIENCE):
                    return self._until_it_stands(used, work)
            finally:
                _undo(used)

    def _until_it_stands(self, session: ClientSession, work: Callable[[Calls], Result]) -> Result:
        began = time.monotonic()
        pause = 0.001
        while True:
            session.start_transaction(ReadConcern("snapshot"), DURABLE, ReadPreference.PRIMARY)
            try:
                result = work(Calls(self, session))
                self.commit(session)
                return result
            except PyMongoError as error:
                if not _passing(error) or time.monotonic() + pause > began + PATIENCE:
                    raise
            _undo(session)
            if self.guard and time.monotonic() > began + HELD_UP:
                self.guard.end()
            time.sleep(pause * random.random())  # by chance, so that those who met do not meet again
            pause = min(LONGEST_PAUSE, pause * 2)

    def commit(self, session: ClientSession) -> None:
        """Commit; asked again as long as the answer is lost and there is time. Raises `Undecided` when it stays lost."""
        lost = False
        while True:
            try:
                session.commit_transaction()
                return
            except PyMongoError as error:
                # one that is told that its transaction is gone may do it again, even after an answer that was lost
                lost = (lost or error.has_error_label(UNKNOWN)) and not error.has_error_label("TransientTransactionError")
                if lost and (error.timeout or not error.has_error_label(UNKNOWN)):
                    raise Undecided(_brief(error)) from error
                if not lost:
                    raise

    def hello(self) -> Document:
        """What the server says about itself."""
        with faults():
            return self._client.admin.command("hello")

    def check(self) -> None:
        """Raise `Standalone` for a server without a replica set. Asks once."""
        if not self._checked:
            said = self.hello()
            if "setName" not in said and said.get("msg") != "isdbgrid":
                raise Standalone(STANDALONE)
            self._checked = True

    def prove(self) -> None:
        """Insert, abort, look: raise `Standalone` where a transaction cannot be undone."""
        def insert(calls: Calls) -> None:
            calls.insert("probes", [{"_id": probe}])
            raise _Undo

        probe = random.randbytes(16)
        with suppress(_Undo):
            self.write(insert)
        with self.read() as calls:
            if calls.one("probes", {"_id": probe}):
                raise Standalone(STANDALONE)

    def collections(self) -> set[str]:
        """The names of all collections that there are."""
        with faults():
            return set(self._database.list_collection_names())

    def migrate(self, *layouts: Layout, told: Callable[[str, float], None] = lambda what, share: None) -> None:
        """Create the collections, indexes and documents of these parts that are missing, safe beside other processes; `told` what is
        done next, and the share that is done. Raises `WrongState` where an index of a name is another one."""
        self.check()
        with faults(), pymongo.timeout(None):
            there = self.collections()
            self._make("probes", {}, frozenset(), there)
            for place, layout in enumerate(layouts):
                for name, indexes in layout.indexes.items():
                    told(name, place / len(layouts))
                    self._make(name, indexes, layout.sparse, there)
        with self.alone() as calls:
            for layout in layouts:
                for name, documents in layout.seeds.items():
                    self._seed(calls, name, documents())
                if layout.last is not None:
                    with pymongo.timeout(None):
                        layout.last(calls)
        self.prove()

    def _make(self, name: str, indexes: Mapping[str, Sequence[tuple[str, int]]], sparse: frozenset[str], there: set[str]) -> None:
        known: dict[str, list[tuple[str, int]]] = {}
        if name not in there and not indexes:  # else its first index makes it
            self._create(name)
        elif name in there and indexes:
            known = {one["name"]: [(field, int(way)) for field, way in one["key"].items()] for one in self._database[name].list_indexes()}
        for index, keys in indexes.items():
            if index in known and known[index] != list(keys):
                raise WrongState(f"the index {index} of {name} is another one than is needed: drop it, and run lrs migrate again")
        missing = [IndexModel(list(keys), name=index, sparse=index in sparse) for index, keys in indexes.items() if index not in known]
        if missing:
            self._database[name].create_indexes(missing)
        there.add(name)

    def _create(self, name: str) -> None:
        try:
            self._database.create_collection(name, check_exists=False)
        except PyMongoError:
            if name not in self._database.list_collection_names():  # else another process was faster
                raise

    def _seed(self, calls: Calls, name: str, documents: list[Document]) -> None:
        there = {one["_id"] for one in calls.find(name, {"_id": {"$in": [one["_id"] for one in documents]}}, {"_id": 1})}
        writes: list[Write] = [pymongo.UpdateOne({"_id": one["_id"]}, {"$setOnInsert": {key: one[key] for key in one if key != "_id"}},
                                                 upsert=True) for one in documents if one["_id"] not in there]
        while True:
            try:
                calls.write_each(name, writes)
                return
            except BulkWriteError as error:
                if not _passing(error):  # two upserts of one _id: the other's stands
                    raise

    def close(self) -> None:
        """Close every connection; the object is of no use afterwards."""
        self._client.close()


class _Undo(Exception):
    pass


def _undo(session: ClientSession) -> None:
    """Abort the transaction that is open, if one is: else it holds up all others until the server ends it, a minute later."""
    if session.in_transaction:
        with pymongo.timeout(UNDOING):
            session.abort_transaction()


def _passing(error: PyMongoError) -> bool:
    """Whether the transaction may stand when it is done again: another was faster, or the primary is another one now."""
    if isinstance(error, BulkWriteError):
        return any(one.get("code") in (DUPLICATE, CONFLICT) for one in (error.details or {}).get("writeErrors", []))
    return error.has_error_label("TransientTransactionError") or isinstance(error, DuplicateKeyError)
