"""However long the texts are that a provider sends, nothing of them stays in the process once it is answered and routed."""
from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from lrs.memo import LONGEST, Memo
from lrs.services import Services
from lrs.store.protocols.work import TargetRow
from workers.route import route_once

MARK = "a-long-text-"
LONG = MARK + "x" * 20_000
ASKED = MARK + "y" * 2_000  # an address has a limit
ROUNDS = 3


def account(name: str) -> dict[str, Any]:
    return {"objectType": "Agent", "account": {"homePage": f"https://{LONG}.example/{name}", "name": LONG + name}}


def statements(n: int) -> Iterator[dict[str, Any]]:
    """Long texts in every place where the standard takes one."""
    iri = f"https://x.example/{LONG}{n}"
    mail = {"objectType": "Agent", "name": LONG, "mbox": f"mailto:{LONG}{n}@example.com"}
    verb = {"id": f"{iri}/verb", "display": {"en": LONG}}
    definition = {"name": {"en": LONG}, "type": f"{iri}/type", "moreInfo": iri, "extensions": {iri: LONG}}
    course = {"id": f"{iri}/course", "definition": definition}
    context = {"platform": LONG, "instructor": mail, "team": account("team") | {"objectType": "Group"}, "extensions": {iri: LONG},
               "contextActivities": {role: [{"id": f"{iri}/{role}"}] for role in ("parent", "grouping", "category", "other")}}
    openid = {"openid": f"{iri}/who"}
    completed = {"id": "http://adlnet.gov/expapi/verbs/completed"}
    openedx = f"https://courses.example/course/course-v1:{LONG}{n}"
    yield {"actor": mail, "verb": verb, "object": course, "context": context, "result": {"response": LONG, "extensions": {iri: LONG}}}
    yield {"actor": account(str(n)), "verb": completed, "object": course, "context": context}
    yield {"actor": openid, "verb": completed, "object": {"id": openedx, "definition": {"type": "http://adlnet.gov/expapi/activities/course"}}}
    yield {"actor": {"objectType": "Group", "name": LONG, "member": [mail, openid]}, "verb": verb, "object": mail | {"name": LONG + "2"}}
    yield {"actor": mail, "verb": completed, "object": {"objectType": "SubStatement", "actor": openid, "verb": verb, "object": course}}


def kept() -> list[str]:
    """The long texts that something still holds, each with the kind of its holder."""
    gc.collect()
    found = []
    frames = {id(sys._getframe())}
    for holder in gc.get_objects():
        if id(holder) in frames or holder is found:
            continue
        for one in gc.get_referents(holder):
            if type(one) not in (str, bytes, bytearray) or len(one) < len(ASKED) or one in (LONG, ASKED):
                continue
            if (MARK if type(one) is str else MARK.encode()) in one:
                found.append(f"{type(holder).__name__}: {str(holder)[:200]}")
    return found


def sent_and_asked(client: FlaskClient, services: Services) -> None:
    for n in range(ROUNDS):
        for version in ("1.0.3", "2.0.0"):
            for one in statements(n):
                answer = client.post("/xapi/statements", json=one, headers={"X-Experience-API-Version": version})
                assert answer.status_code == 200, answer.text[:500]
        for asked in ({"verb": f"https://x.example/{ASKED}{n}"}, {"activity": f"https://x.example/{ASKED}{n}"},
                      {"agent": json.dumps({"mbox": f"mailto:{ASKED}{n}@example.com"}), "verb": f"https://x.example/{n}"}):
            assert client.get("/xapi/statements", query_string=asked).json == {"statements": [], "more": ""}
        refused = client.post("/xapi/statements", json={"actor": {"mbox": LONG}, "verb": {"id": LONG}, "object": {"id": LONG}, LONG: 1})
        assert refused.status_code == 400
    routed = 0
    while now := route_once(services).statements:
        routed += now
    assert routed == ROUNDS * 2 * len(list(statements(0)))


def test_of_long_texts_nothing_is_remembered(client: FlaskClient, services: Services) -> None:
    services.store.work.add_target(TargetRow("hris", "webhook"))
    sent_and_asked(client, services)
    services.store.rejections.flush()
    urlsplit.cache_clear()  # the test's own client takes addresses apart with it
    assert not (found := kept()), "\n".join(found)


def test_what_is_held_is_seen() -> None:
    before, holder = len(kept()), [f"{LONG}{len(MARK)}"]
    assert len(kept()) == before + 1
    holder.clear()
    assert len(kept()) == before


@pytest.mark.parametrize("key", ["k" * LONGEST, ("k", "v" * (LONGEST - 1)), ("k", ("v" * (LONGEST - 1),))])
def test_a_memo_remembers_up_to_a_length(key: Any) -> None:
    asked: list[Any] = []
    memo = Memo[Any, int](lambda one: asked.append(one) or len(asked), 10)
    assert [memo[key], memo[key]] == [1, 1]
    longer = key + "k" if isinstance(key, str) else (*key, "k")
    assert [memo[longer], memo[longer]] == [2, 3]
    assert len(memo) == 1


def test_a_memo_forgets_what_was_not_asked_for_longest() -> None:
    asked: list[int] = []
    memo = Memo[int, None](asked.append, 10)
    for one in range(100):
        assert memo[0] is None
        assert memo[one] is None
        assert len(memo) <= 10
    assert asked == list(range(100))
