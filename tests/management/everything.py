"""A store with something in every part that `lrs move` moves, and its rows as they can be compared."""
from __future__ import annotations

import json
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

from filled_store import COURSE, WHO, filled, ref, said

from lrs import log
from lrs.auth import credentials
from lrs.completions.model import Course, Person
from lrs.config import load
from lrs.ingest.batch import accept
from lrs.management.audit import audited
from lrs.services import Services, now_us
from lrs.statements.definitions import Known
from lrs.statements.documents import Document, Key
from lrs.store.open_store import Store, open_store
from lrs.store.protocols.connections import Connection
from lrs.store.protocols.copied import PARTS
from lrs.store.protocols.rejections import Rejection
from lrs.store.protocols.sessions import SessionRow
from lrs.store.protocols.work import Attempt, TargetRow
from workers.route import route_once

BIG = bytes(range(256)) * 1_000


def everything(place: str | Path) -> None:
    """Fill a new store."""
    filled(place)
    with closing(open_store(place)) as store:
        services = Services(load({}), store)
        late, loop = str(uuid.uuid4()), [said("commented"), said("commented")]
        for one, other in (loop, loop[::-1]):
            one["object"] = ref(other)
        known = log.request_id.set("request-1")
        accept(services, json.dumps([said("commented", {"objectType": "StatementRef", "id": late}), *loop,
                                     said("voided", {"objectType": "StatementRef", "id": str(uuid.uuid4())})]).encode(), WHO)
        log.request_id.set("request-2")
        accept(services, json.dumps([said("failed", {**COURSE, "id": f"https://c.example/{n}"}, result={"success": False})
                                     for n in range(40)]).encode(), WHO)
        log.request_id.reset(known)
        accept(services, json.dumps(said("passed", actor={"mbox": "mailto:nobody@acme.example"})).encode(), WHO)
        accept(services, json.dumps([said("passed", actor={"mbox": f"mailto:p{n}@acme.example"}) for n in range(9)]).encode(), WHO)
        store.directory.put_people([Person(f"p{n}", identifiers=(f"mbox:p{n}@acme.example",)) for n in range(9)])
        store.directory.put_courses([Course("https://c.example/1", "Öne", aliases=("urn:one",))])
        credentials.create(store.credentials, name="One", public_url="https://x.example", scopes=("all",))
        store.connections.create(Connection("zoom", "zoom", "k", {"a.b": "$c"}))
        store.documents.change(Key("state", "https://a.example", "ada", "", "small"), lambda was: Document(b"{}", "application/json"))
        store.documents.change(Key("state", "https://a.example", "ada", "r", "big"), lambda was: Document(BIG, "image/png"))
        store.payloads.keep("zoom", "meeting", b"\0{}", "a note")
        store.payloads.purge(now_us() + 1_000_000)
        store.payloads.keep("zoom", "meeting", b"{}")
        store.rejections.note(Rejection(now_us(), "k", 400, "invalid", json.dumps({"findings": [{"rule": "r1"}]}), "excerpt"))
        store.rejections.flush()
        with audited(store, "cli:me", "people.put", "p1", count=9):
            pass
        number = store.mappings.propose("verbs", b"{}", who="me", note="n", base=0)
        assert store.mappings.apply("verbs", number) == ""
        store.mappings.propose("courses", b"[]", who="me", note="", base=0)
        first = store.statements.kept(0, 1)[0].record
        assert store.mappings.put_readings(number, [(first.seq, first.reading)])
        cursor, _ = store.definitions.of([])
        assert store.definitions.learn({"https://a.example": Known(b"{}", b"[]")}, cursor, first.seq)
        assert store.sessions.advance(0, first.seq, [SessionRow("zoom", "https://z.example/1", due=5, last=3), SessionRow("zoom", "b")])
        assert store.sessions.searched("zoom", 0, 77, "why")
        store.work.add_target(TargetRow("crm", "webhook", {"url": "https://x.example"}))
        while route_once(services).statements:
            pass
        attempts(store)
        while store.statements.do_shadow_todo():
            pass
        counts = {part: store.copied.count(part) for part in PARTS}
        assert not [part for part, count in counts.items() if not count], counts


def attempts(store: Store) -> None:
    """Deliveries in all sorts of states."""
    claimed = store.work.claim_due(6, 60.0, "worker-x", now_us())
    assert len(claimed) == 6
    ends: list[dict[str, Any]] = [
        {"state": "delivered", "due": None, "status": 200, "says": "up"}, {"state": "waiting", "due": now_us() + 10**9, "status": 500},
        {"state": "parked", "due": None, "why": "no such person"}, {"state": "dead", "due": None, "status": 400, "why": "refused"},
        {"state": "waiting", "due": now_us(), "unclear": True}]
    store.work.record([Attempt(id=one.id, lease=one.lease, at=now_us(), attempts=1, **{"why": "", **end})
                       for one, end in zip(claimed, ends, strict=False)])


def rows(place: str | Path, but: frozenset[str] = frozenset()) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every part, sorted."""
    with closing(open_store(place, first=False)) as store:
        return {part: sorted(store.copied.page(part, None, 100_000), key=repr) for part in PARTS if part not in but}
