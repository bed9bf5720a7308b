"""Batches: one bad row dies alone in few calls, rows that exclude each other go apart, an unknown end leaves all unclear."""
from __future__ import annotations

import json
import math
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrs.config import load
from lrs.services import Services
from lrs.store.open_store import open_store
from lrs.store.protocols.work import Cursor, Output, Published, TargetRow, Wanted
from workers.connectors.base import Answer, Delivered, Delivery, Misconfigured, Rejected, Retry, Skipped, Target, Throttled
from workers.connectors.batches import send_all
from workers.connectors.hubspot.connector import HubSpotConnector
from workers.connectors.registry import connectors, settings_for
from workers.deliver import deliver_once


def delivery(key: str) -> Delivery:
    return Delivery(key, "t", "learning.completed", key, 1, {})


class Receiver:
    """Refuses a batch that holds a bad row as a whole, with `status`."""

    def __init__(self, bad: set[str], status: int = 400) -> None:
        self.bad, self.status, self.calls, self.got = bad, status, 0, []

    def __call__(self, rows):
        self.calls += 1
        if self.bad & {row.id for row in rows}:
            return [Answer(Rejected("bad"), self.status)] * len(rows)
        self.got += [row.id for row in rows]
        return [Answer(Delivered(), 200)] * len(rows)


def apart(_):
    return ""


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("place", [0, 41, 99])
def test_of_a_hundred_the_bad_one_dies_alone_in_about_two_log2_calls(place, status):
    rows, receiver = [delivery(str(n)) for n in range(100)], Receiver({str(place)}, status)
    answers = send_all(rows, receiver, apart, lambda _: True)
    assert [n for n, answer in enumerate(answers) if not isinstance(answer.outcome, Delivered)] == [place]
    assert sorted(receiver.got) == sorted(str(n) for n in range(100) if n != place)
    assert receiver.calls <= 2 * math.ceil(math.log2(100)) + 1


@given(st.integers(1, 60), st.sets(st.integers(0, 59)))
def test_whatever_rows_are_bad_the_others_arrive_once(n, bad):
    rows, receiver = [delivery(str(i)) for i in range(n)], Receiver({str(i) for i in bad})
    answers = send_all(rows, receiver, apart, lambda _: True)
    assert [isinstance(answer.outcome, Delivered) for answer in answers] == [i not in bad for i in range(n)]
    assert sorted(receiver.got, key=int) == [str(i) for i in range(n) if i not in bad]


@given(st.lists(st.sampled_from("abc"), max_size=20))
def test_rows_with_the_same_key_go_in_calls_of_their_own_the_earlier_first(keys):
    rows, batches = [delivery(f"{key}{n}") for n, key in enumerate(keys)], []

    def send(batch):
        batches.append([row.id for row in batch])
        return [Answer(Delivered(), 200)] * len(batch)

    send_all(rows, send, lambda row: row.id[0], lambda _: True)
    assert all(len({row[0] for row in batch}) == len(batch) for batch in batches)
    for key in "abc":
        assert [row for batch in batches for row in batch if row[0] == key] == [row.id for row in rows if row.id[0] == key]


@pytest.mark.parametrize("outcome", [Retry("no answer"), Throttled("429"), Misconfigured("401")])
def test_after_a_call_that_failed_as_a_whole_nothing_more_is_sent(outcome):
    calls = []
    answers = send_all([delivery(k) for k in ("a1", "b1", "a2")], lambda rows: calls.append(1) or [Answer(outcome)] * len(rows),
                       lambda row: row.id[0], lambda _: True)
    assert [answer and answer.outcome for answer in answers] == [outcome, outcome, None]
    assert len(calls) == 1


def test_what_there_is_no_time_for_is_not_sent():
    times = iter([True, True, False])
    answers = send_all([delivery(str(n)) for n in range(4)], Receiver({"3"}), apart, lambda _: next(times))
    assert [answer is not None for answer in answers] == [True, True, False, False]


class HubSpot:
    """Answers batch upserts by `answer(inputs) -> (status, body)`, and keeps what each call held."""

    def __init__(self, answer):
        self.answer, self.batches = answer, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

            def do_POST(self):
                inputs = json.loads(self.rfile.read(int(self.headers["content-length"])))["inputs"]
                outer.batches.append([row["objectWriteTraceId"] for row in inputs])
                got = outer.answer(inputs)
                if got is None:
                    self.close_connection = True
                    return
                text = json.dumps(got[1]).encode()
                self.send_response(got[0])
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def results(inputs):
    return {"status": "COMPLETE", "results": [{"id": f"c-{row['id']}", "new": True, "properties": {"email": row["id"]}} for row in inputs]}


def by_row(inputs):
    """HubSpot's own form: 207 with errors that name the trace ids of bad rows."""
    bad = [row for row in inputs if row["id"].startswith("bad")]
    errors = [{"status": "error", "category": "VALIDATION_ERROR", "message": f"Email address {row['id']} is invalid",
               "context": {"objectWriteTraceId": [row["objectWriteTraceId"]]}} for row in bad]
    good = results([row for row in inputs if row not in bad])
    return (207, {**good, "numErrors": len(bad), "errors": errors}) if bad else (200, good)


def as_a_whole(inputs):
    if any(row["id"].startswith("bad") for row in inputs):
        return 400, {"status": "error", "message": "Invalid input", "category": "VALIDATION_ERROR"}
    return 200, results(inputs)


def once_each(inputs):
    if len({row["id"] for row in inputs}) < len(inputs):
        return 400, {"status": "error", "message": "Duplicate IDs found in batch input", "category": "VALIDATION_ERROR"}
    return 200, results(inputs)


@pytest.fixture
def run(tmp_path: Path):
    """Owe completions of these e-mail addresses to a HubSpot that answers so, deliver; (HubSpot, services)."""
    open_ = []

    def go(answer, emails):
        hubspot, store = HubSpot(answer), open_store(tmp_path)
        open_.append((hubspot, store))
        services = Services(load({"LRS_DATA": str(tmp_path)}, tmp_path / "none"), store)
        store.work.add_target(TargetRow("crm", "hubspot", settings_for("hubspot", {
            "url": hubspot.url, "token": "t", "allow_private": True, "timeout": 5})))
        rows = [Published("learning.completed", f"a{n}", 1, json.dumps({
            "event": "learning.completed", "id": f"a{n}", "revision": 1, "user": {"externalId": str(n), "email": email},
            "course": {"id": "c"}, "result": {"status": "passed"}, "timestamp": "2026-01-02T03:04:05Z"}).encode())
            for n, email in enumerate(emails)]
        store.work.advance("route", Cursor(), Cursor(1, 0), Output((), rows, [(n, "crm") for n in range(len(rows))]))
        now = lambda: time.time_ns() // 1000  # noqa: E731
        deliver_once(services, now, connectors(now))
        return hubspot, services

    yield go
    for hubspot, store in open_:
        hubspot.server.shutdown()
        hubspot.server.server_close()
        store.close()


def people(n, bad=()):
    return [f"{'bad' if i in bad else 'p'}{i}@acme.example" for i in range(n)]


@pytest.mark.parametrize(("answer", "calls"), [(by_row, 1), (as_a_whole, 2 * math.ceil(math.log2(100)) + 1)])
def test_of_a_hundred_contacts_99_are_delivered_and_the_bad_one_is_dead_with_its_reason(run, answer, calls):
    hubspot, services = run(answer, people(100, {57}))
    assert services.store.work.count_by_state() == {"delivered": 99, "dead": 1}
    [dead] = services.store.work.deliveries(Wanted(state="dead"), 5)
    assert (dead.event_id, dead.attempts) == ("a57", 1)
    assert "nvalid" in dead.why
    assert len(hubspot.batches) <= calls
    assert max(len(batch) for batch in hubspot.batches) == 100


def test_a_contact_twice_is_written_in_two_calls_the_later_event_last(run):
    hubspot, services = run(once_each, ["Ada@acme.example", *people(5), "ada@acme.example"])
    assert services.store.work.count_by_state() == {"delivered": 7}
    assert [len(batch) for batch in hubspot.batches] == [6, 1]


def test_a_batch_whose_end_is_unknown_is_unclear_in_every_row_and_is_one_failure_of_the_target(run):
    hubspot, services = run(lambda _: None, people(20))
    assert services.store.work.count_by_state() == {"waiting": 20}
    assert services.store.work.target("crm").health.failures == 1
    later = max(row.due for row in services.store.work.deliveries(Wanted(), 99))
    again = services.store.work.claim_due(99, 60, "me", later)
    assert len(hubspot.batches) == 1
    assert {one.unclear for one in again} == {True}


def test_a_rate_limit_holds_the_whole_batch_and_uses_no_attempt(run):
    _, services = run(lambda _: (429, {"status": "error", "errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}), people(9))
    assert {(row.state, row.attempts) for row in services.store.work.deliveries(Wanted(), 99)} == {("waiting", 0)}
    assert services.store.work.target("crm").health.not_before > time.time_ns() // 1000


def test_rows_that_cannot_be_written_do_not_keep_the_others_from_it(run):
    _, services = run(by_row, ["", *people(3)])
    assert services.store.work.count_by_state() == {"delivered": 3, "parked": 1}


def test_a_row_that_the_answer_does_not_mention_goes_again(run):
    _, services = run(lambda inputs: (200, results(inputs[:1])), people(2))
    assert services.store.work.count_by_state() == {"delivered": 1, "waiting": 1}


def test_a_row_on_which_the_connector_itself_fails_costs_only_itself_an_attempt(run, monkeypatch):
    real = HubSpotConnector._row

    def fails_on_one(self, one, target):
        return real(self, one, target) if one.event_id != "a3" else [][0]

    monkeypatch.setattr(HubSpotConnector, "_row", fails_on_one)
    _, services = run(by_row, people(8))
    assert services.store.work.count_by_state() == {"delivered": 7, "waiting": 1}
    assert services.store.work.target("crm").health.failures == 0


def test_a_credential_event_is_written_where_the_map_has_a_section_for_it(monkeypatch):
    hubspot = connectors(lambda: 0)["hubspot"]
    event = {"event": "credential.revoked", "id": "c", "user": {"email": "a@b.example"}, "credential": {"id": "https://b.example/1"}}
    one, target = Delivery("m", "t", "credential.revoked", "c", 2, event), Target("t", "hubspot", {"token": "t"})
    assert isinstance(hubspot._row(one, target), Skipped)
    monkeypatch.setitem(hubspot._map, "credential", {"badge": {"from": "credential.id"}})
    assert hubspot._row(one, target)["properties"] == {"badge": "https://b.example/1"}
    monkeypatch.setitem(hubspot._map, "credential_revoked", {"badge": {"fixed": ""}})
    assert hubspot._row(one, target)["properties"] == {"badge": ""}
