"""Delivering through a real store and real HTTP to a scripted receiver."""
from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat

import pytest

from lrs.config import load
from lrs.services import Services
from lrs.store.open_store import open_store
from lrs.store.protocols.work import Cursor, Output, Published, TargetRow, Wanted
from workers.connectors.base import Answer, Delivered, Misconfigured, Retry
from workers.connectors.registry import connectors, new_secret
from workers.deliver import Deliverer, deliver_once
from workers.schedule import SECOND, STEPS

START = 1_800_000_000 * SECOND
EVENT = {"event": "learning.completed", "id": "ach-1", "revision": 1, "user": {"externalId": "7", "email": "a@b.example"},
         "course": {"id": "https://c.example/1"}, "result": {"status": "passed", "score": 90}, "timestamp": "2026-01-02T03:04:05Z"}


class Receiver:
    """Answers each request with the next of `answers` (the last one for ever) and keeps what it got."""

    def __init__(self):
        self.answers, self.got = [(200, {}, b"ok")], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                status, headers, text = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/in"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Clock:
    now = START

    def __call__(self):
        return self.now


@pytest.fixture
def receiver():
    it = Receiver()
    yield it
    it.server.shutdown()
    it.server.server_close()


@pytest.fixture
def services(tmp_path):
    settings = load({"LRS_DATA": str(tmp_path)}, tmp_path / "none.toml")
    store = open_store(tmp_path)
    yield Services(settings, store)
    store.close()


@pytest.fixture
def clock():
    return Clock()


def owe(services, target, event=EVENT):
    cursor = services.store.work.cursor("route")
    body = json.dumps(event).encode()
    output = Output(published=[Published(event["event"], event["id"], event["revision"], body)], owed=[(0, target)])
    assert services.store.work.advance("route", cursor, Cursor(cursor.seq + 1, cursor.change), output)


def webhook(services, url, **settings):
    services.store.work.add_target(TargetRow("hook", "webhook", {"url": url, "secret": new_secret(), "allow_private": True, **settings}))


def only(services):
    rows = services.store.work.deliveries(Wanted(), 10)
    assert len(rows) == 1
    return rows[0]


def run(services, clock):
    clock.now = max(clock.now, only(services).due or 0)
    return deliver_once(services, clock, connectors(clock), rng=lambda: 0.5)


@pytest.fixture
def owed(services, receiver, clock):
    webhook(services, receiver.url)
    owe(services, "hook")
    clock.now = only(services).due
    return services


def test_ten_503_walk_exactly_the_schedule_under_one_webhook_id_and_then_the_delivery_is_dead(owed, receiver, clock):
    receiver.answers = [(503, {}, b"busy")]
    waits = []
    while only(owed).state in ("pending", "waiting"):
        before = clock.now
        assert run(owed, clock) == 1
        waits.append((clock.now - before) // SECOND)
    assert tuple(waits) == STEPS
    assert only(owed).state == "dead"
    assert "503" in only(owed).why
    assert len(owed.store.work.attempts(only(owed).id)) == 10
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


def test_429_is_waited_out_as_asked_and_uses_no_attempt(owed, receiver, clock):
    receiver.answers = [(429, {"Retry-After": "33"}, b"")] * 12 + [(200, {}, b"")]
    for _ in range(12):
        run(owed, clock)
        assert only(owed).attempts == 0
        assert only(owed).due == clock.now + 33 * SECOND
    run(owed, clock)
    assert only(owed).state == "delivered"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_credential_pauses_the_target_and_the_delivery_goes_out_once_resumed(owed, receiver, clock, status):
    receiver.answers = [(status, {}, b"no"), (200, {}, b"")]
    run(owed, clock)
    assert (only(owed).state, only(owed).attempts) == ("waiting", 0)
    assert owed.store.work.target("hook").state == "paused"
    assert str(status) in owed.store.work.target("hook").why
    assert run(owed, clock) == 0
    owed.store.work.set_target_state("hook", "active")
    assert run(owed, clock) == 1
    assert only(owed).state == "delivered"


def test_410_disables_the_target(owed, receiver, clock):
    receiver.answers = [(410, {}, b"")]
    run(owed, clock)
    assert owed.store.work.target("hook").state == "disabled"


def test_a_redirect_is_a_failure_and_is_not_followed(owed, receiver, clock):
    receiver.answers = [(302, {"Location": receiver.url}, b"")]
    run(owed, clock)
    assert only(owed).state == "waiting"
    assert only(owed).attempts == 1
    assert "302" in only(owed).why
    assert len(receiver.got) == 1


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_permanent_refusal_is_dead_at_once(owed, receiver, clock, status):
    receiver.answers = [(status, {}, b"bad")]
    run(owed, clock)
    assert only(owed).state == "dead"
    assert str(status) in only(owed).why


def test_a_private_address_is_refused_unless_the_target_says_so(services, receiver, clock):
    webhook(services, receiver.url.replace("http:", "https:"), allow_private=False)
    owe(services, "hook")
    run(services, clock)
    assert receiver.got == []
    assert "not a public address" in services.store.work.target("hook").why


def test_what_is_kept_of_an_answer_is_short_and_without_the_secret(services, receiver, clock):
    webhook(services, receiver.url)
    secret = services.store.work.target("hook").settings["secret"]
    receiver.answers = [(200, {}, secret.encode() + b"x" * 50_000)]
    owe(services, "hook")
    run(services, clock)
    body = services.store.work.attempts(only(services).id)[0].body
    assert only(services).state == "delivered"
    assert secret not in body
    assert len(body) <= 2048


class Scripted:
    """A connector without idempotency keys that says what it is told to."""

    name, dedupes = "webhook", False

    def __init__(self, held, sends):
        self.held, self.sends, self.calls = held, sends, []

    def find(self, delivery, target):
        self.calls.append("find")
        return self.held

    def send(self, delivery, target):
        self.calls.append("send")
        return Answer(self.sends.pop(0), None if not self.sends else 200)


@pytest.mark.parametrize(("held", "state", "calls"), [
    (True, "delivered", ["find"]), (False, "delivered", ["find", "send"]), (None, "waiting", ["find"]),
])
def test_an_unclear_attempt_is_asked_for_before_anything_is_sent_again(owed, clock, held, state, calls):
    assert len(owed.store.work.claim_due(1, 60, "a worker that is killed", clock.now)) == 1
    owed.store.work.expire_leases(["hook"], "another", clock.now)
    connector = Scripted(held, [Delivered()])
    deliver_once(owed, clock, {"webhook": connector}, rng=lambda: 0.5)
    assert (only(owed).state, connector.calls) == (state, calls)


def test_a_broken_exchange_stays_unclear_until_the_target_was_asked(owed, clock):
    connector = Scripted(True, [Retry("ReadTimeout")])
    deliver_once(owed, clock, {"webhook": connector}, rng=lambda: 0.5)
    clock.now = only(owed).due
    deliver_once(owed, clock, {"webhook": connector}, rng=lambda: 0.5)
    assert connector.calls == ["send", "find"]
    assert only(owed).state == "delivered"


def test_a_fault_inside_a_connector_costs_its_delivery_an_attempt_and_no_more(owed, clock):
    class Broken(Scripted):
        def send(self, delivery, target):
            raise RuntimeError("boom")

    deliver_once(owed, clock, {"webhook": Broken(None, [])}, rng=lambda: 0.5)
    assert (only(owed).state, only(owed).attempts) == ("waiting", 1)
    assert "boom" in only(owed).why


def test_nothing_is_sent_with_less_than_the_timeout_left_of_the_lease(owed, clock):
    connector = Scripted(None, [Misconfigured("never asked")])
    times = chain([0.0], repeat(1000.0))
    hands = Deliverer(owed, "me", clock, {"webhook": connector}, uptime=lambda: next(times))
    hands.deliver_due(1)
    hands.close()
    assert connector.calls == []
    assert (only(owed).state, only(owed).attempts) == ("waiting", 0)


def test_a_claim_is_in_the_file_before_anything_is_sent(owed, clock, tmp_path):
    seen = []

    class Looking(Scripted):
        def send(self, delivery, target):
            another = open_store(tmp_path)
            seen.append(only(Services(owed.settings, another)).state)
            another.close()
            return Answer(Delivered(), 200)

    deliver_once(owed, clock, {"webhook": Looking(None, [])}, n=1)
    assert seen == ["leased"]
    assert only(owed).state == "delivered"
