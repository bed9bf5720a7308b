"""Two Celery workers, three partitions, people who come under two names in both at once: each event once, revisions in order."""
from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from celery_site import COURSE, Site
from real_parts import until

from lrs.completions.model import Person
from lrs.completions.subjects import email_identifiers
from lrs.management.verify import verify
from workers.partitions import routed, standing

pytestmark = pytest.mark.slow
HOME, PEOPLE = "https://lms.example", 24


@pytest.fixture(params=["sqlite", "mongo"])
def partitioned(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    store = {"LRS_STORE": request.getfixturevalue("mongo_place")} if request.param == "mongo" else {}
    made = Site(tmp_path, LRS_ROUTE_PARTITIONS="3", **store)
    yield made
    made.stop()


def completions(rng: random.Random, people: range) -> str:
    """One statement of each name of each person."""
    actors = [actor for n in people for actor in ({"mbox": f"mailto:p{n}@x.example"}, {"account": {"homePage": HOME, "name": f"p{n}"}})]
    rng.shuffle(actors)
    return json.dumps([{"id": str(uuid.uuid4()), "actor": actor, "object": {"id": COURSE},
                        "result": {"score": {"scaled": rng.choice((0.5, 0.7, 0.9))}},
                        "verb": {"id": "http://adlnet.gov/expapi/verbs/passed"}} for actor in actors])


def test_two_workers_route_three_partitions_and_each_event_is_told_once(partitioned: Site) -> None:
    site, rng = partitioned, random.Random(3)
    workers = [site.celery(name, "worker", "-n", name, "-c", "4", "-Q", "lrs.route,lrs.deliver") for name in ("w1", "w2")]
    site.celery("beat", "beat")
    web, headers = site.client(), site.completion(0)[1]
    for turn in range(12):
        # of some both names are known, of some one, of some none yet; more of them from turn to turn
        site.store.directory.put_people([
            Person(f"q{n}", f"p{n}@x.example", identifiers=(*email_identifiers(f"p{n}@x.example"),
                                                            *((f"account:{HOME}|p{n}",) if turn > n % 7 else ())))
            for n in range(min(PEOPLE, 3 * turn))])
        assert web.post("/xapi/statements", data=completions(rng, range(PEOPLE)), headers=headers).status_code == 200
        if turn == 4:
            for worker in workers:
                worker.ready(lambda worker=worker: "ready." in worker.log.read_text(errors="replace"), 90)
    last, change = site.store.statements.last_seq(), site.store.directory.last_change()
    until(lambda: routed(site.store).seq >= last and routed(site.store).change >= change, 90, "all of it is routed")
    until(lambda: set(site.store.work.count_by_state()) == {"delivered"}, 90, "all is delivered")
    assert len(standing(site.store).partitions) == 3
    rows = site.store.work.feed(0, 10_000)
    assert [row.n for row in rows] == list(range(1, len(rows) + 1))
    told = [json.loads(row.body) for row in rows]
    revisions: dict[str, list[int]] = {}
    for event in told:
        revisions.setdefault(event["id"], []).append(event["revision"])
    assert all(found == list(range(1, len(found) + 1)) for found in revisions.values())
    stands = {event["id"]: event for event in told}
    assert Counter(event["user"]["externalId"] for event in stands.values() if event["event"] != "learning.revoked") == \
        Counter(f"q{n}" for n in range(PEOPLE)), "one achievement a person, whatever the name he came under"
    came = httpx.get(site.receiver_url + "/sandbox/received").json()
    assert sorted((row["event"]["id"], row["event"]["revision"], row["times"]) for row in came) == \
        sorted((event["id"], event["revision"], 1) for event in told)
    assert list(verify(site.store)) == []
    for worker in workers:
        assert worker.stop() in (0, 1)
        assert "ERROR   workers" not in worker.log.read_text(errors="replace")
