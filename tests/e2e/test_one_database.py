"""Two LRSs with folders of their own on one MongoDB database: what one takes the other has, and what is owed is sent once."""
import os
import signal
import subprocess
import sys
import uuid
from contextlib import closing

import httpx
import psutil
import pytest
from ports import LRS, free_port, until
from real_mongo import Mongo
from running import SECRET, VERSION

from lrs.completions.model import Person
from lrs.directory.csv import identifiers_of
from lrs.store.open_store import open_store
from lrs.store.protocols.work import TargetRow

COURSE = "http://adlnet.gov/expapi/activities/course"


def completion(number):
    return {"id": str(uuid.uuid4()), "actor": {"mbox": f"mailto:person{number % 5}@acme.example"},
            "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
            "object": {"id": f"https://courses.acme.example/{uuid.uuid4()}", "definition": {"type": COURSE}}}


@pytest.mark.slow
def test_two_share_the_work_and_one_goes_on_where_the_other_is_killed(run, mongo_place, receiver):
    with closing(open_store(mongo_place)) as store:
        store.directory.put_people([Person(f"{n}", identifiers=tuple(identifiers_of(f"{n}", [f"person{n}@acme.example"])))
                                    for n in range(5)])
        store.work.add_target(TargetRow("hook", "webhook", {"url": receiver + "/", "secret": SECRET, "allow_private": True, "timeout": 2}))
        two = [run("one", mongo_place), run("two", mongo_place)]

        def delivered(count):
            return store.work.count_by_state() == {"delivered": count}

        for n in range(20):
            here, there = two[n % 2], two[1 - n % 2]
            one = completion(n)
            assert here.post(one).status_code == 200
            answer = httpx.get(there.url + "/xapi/statements", params={"statementId": one["id"]}, auth=there.auth, headers=VERSION,
                               timeout=10)
            assert (answer.status_code, answer.json()["id"]) == (200, one["id"])
        until(lambda: delivered(20), 60, f"all are delivered; now {store.work.count_by_state()}")
        received = httpx.get(receiver + "/sandbox/received", timeout=10).json()
        assert (len(received), sum(row["times"] for row in received)) == (20, 20)

        for n in range(10):
            assert two[n % 2].post(completion(n)).status_code == 200
        family = psutil.Process(two[0].process.pid).children(recursive=True)
        for one in [two[0].process, *family]:
            os.kill(one.pid, signal.SIGKILL)
        for n in range(10):
            assert two[1].post(completion(n)).status_code == 200
        until(lambda: delivered(40), 90, f"the other sends the rest; now {store.work.count_by_state()}")
        received = httpx.get(receiver + "/sandbox/received", timeout=10).json()
        assert len({row["event"]["id"] for row in received}) == len(received) == 40


def refused(tmp_path, store):
    done = subprocess.run([sys.executable, "-c", LRS, "--data", str(tmp_path / "data"), "serve", "--port", str(free_port())],
                          capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "LRS_STORE": store})
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_a_server_without_a_replica_set_is_refused_with_the_commands_that_mend_it(tmp_path):
    server = Mongo(tmp_path, standalone=True)
    try:
        code, told = refused(tmp_path, server.url("lrs"))
        assert (code, "mongod --replSet" in told, "rs.initiate()" in told) == (75, True, True)
    finally:
        server.stop()


@pytest.mark.parametrize(("store", "code"), [
    ("mongodb://ada:s3cret@127.0.0.1:1/lrs?replicaSet=rs0", 75), ("mongodb://ada:s3/cret@127.0.0.1/lrs", 78),
    ("mongo://ada:s3cret@127.0.0.1/lrs", 78), ("sqlite:///s3cret", 78)])
def test_what_cannot_be_opened_is_refused_without_its_password(tmp_path, store, code):
    returned, told = refused(tmp_path, store)
    assert (returned, "s3" in told, "mongodb://" in told or "unavailable" in told) == (code, False, True)
