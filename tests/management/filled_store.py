"""A store of either kind with something of everything that `lrs verify` looks at."""
from __future__ import annotations

import hashlib
import json
import uuid
from contextlib import closing
from pathlib import Path

from lrs.completions.model import Person
from lrs.config import load
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.services import Services
from lrs.store.open_store import open_store
from lrs.store.protocols.work import TargetRow
from workers.route import route_once

WHO = Provider("k", frozenset({"all"}), "lab", {"objectType": "Agent", "account": {"homePage": "https://x.example", "name": "k"}})
COURSE = {"id": "https://c.example/1", "definition": {"type": "http://adlnet.gov/expapi/activities/course"}}
ADL = "http://adlnet.gov/expapi/verbs/"


def said(verb: str, target: object = COURSE, **more: object) -> dict:
    return {"id": str(uuid.uuid4()), "actor": {"mbox": "mailto:ada@acme.example"}, "verb": {"id": ADL + verb}, "object": target, **more}


def ref(one: dict) -> dict:
    return {"objectType": "StatementRef", "id": one["id"]}


def filled(place: str | Path) -> None:
    """A store with a completion that is owed to a target, a chain of references, a void and an attachment."""
    with closing(open_store(place)) as store:
        services = Services(load({}), store)
        store.directory.put_people([Person("1", identifiers=("mbox:ada@acme.example",))])
        store.work.add_target(TargetRow("hr", "webhook", {}))
        content = b"a certificate"
        name = hashlib.sha256(content).hexdigest()
        first, second = said("passed"), said("experienced", {"id": "https://c.example/2"})
        third = said("commented", ref(second))
        attached = said("experienced", attachments=[{"usageType": "http://x.example/u", "display": {"en": "c"}, "contentType": "text/plain",
                                                     "length": len(content), "sha2": name}])
        staged = store.attachments.stage([content], name, hashlib.sha256())
        batch = [first, second, third, said("commented", ref(third)), said("voided", ref(second))]
        accept(services, json.dumps(batch).encode(), WHO)
        accept(services, json.dumps([attached]).encode(), WHO, data={name: staged})
        while route_once(services).statements:
            pass
        while store.statements.do_shadow_todo():
            pass
        store.statements.merge_postings(10)
        assert store.work.feed_length() == 1
        assert store.work.count_by_state() == {"pending": 1}
