"""Who is refused again and again rests, and nobody else does."""
from __future__ import annotations

import http.client
import json

from test_web import Running

from lrs.config import Settings
from lrs.serve.refusals import CLIENTS_MAX, REST, SECONDS, Refusals


def test_a_client_rests_that_was_refused_at_more_than_the_rate_and_is_heard_again() -> None:
    seen = Refusals(10)
    for n in range(round(10 * SECONDS)):
        seen.refused("a", n / 1000)
    assert seen.rest("a", 1.0) == 0.0
    seen.refused("a", 0.1)
    assert seen.rest("a", 0.1) == REST
    assert seen.rest("b", 0.1) == 0.0
    assert seen.anybody(0.1)
    assert seen.rest("a", 0.1 + REST) == 0.0
    assert not seen.anybody(0.1 + REST)


def test_who_goes_on_as_fast_while_it_rests_goes_on_resting_and_who_is_slower_is_heard_again() -> None:
    seen = Refusals(10)
    for n in range(round(10 * SECONDS) + 1):
        seen.refused("a", n / 1000)
    fast = [seen.rest("a", 0.1 + n / 100) for n in range(3_000)]
    assert min(fast) > REST - 0.02
    slow = [seen.rest("a", 30.1 + n / 5) for n in range(100)]
    assert slow.index(0.0) in (REST * 5, REST * 5 + 1)
    assert seen.rest("b", 31.0) == 0.0


def test_who_is_refused_at_the_rate_for_ever_never_rests() -> None:
    seen = Refusals(10)
    for n in range(10_000):
        seen.refused("a", n / 10)
        assert not seen.anybody(n / 10)


def test_of_very_many_clients_the_oldest_are_forgotten() -> None:
    seen = Refusals(10)
    for n in range(CLIENTS_MAX + 100):
        seen.refused(str(n), 0.0)
    assert len(seen._levels) == CLIENTS_MAX


def ask(line: http.client.HTTPConnection, path: str, who: str = "") -> tuple[int, str | None, bytes]:
    line.request("POST", path, b"{}", {"Authorization": who} if who else {})
    answer = line.getresponse()
    return answer.status, answer.getheader("Retry-After"), answer.read()


def test_a_flood_of_bad_requests_is_answered_429_to_its_sender_alone() -> None:
    server = Running(Settings(refused_max=1))
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        for who in ("Basic bad", ""):
            statuses = [ask(line, "/refused", who)[0] for _ in range(50)]
            assert set(statuses) == {400, 429}
            assert statuses.index(429) >= SECONDS
            status, wait, said = ask(line, "/fine", who)
            assert (status, json.loads(said)["code"]) == (429, "refused_too_often")
            assert 1 <= int(wait or 0) <= REST
        assert ask(line, "/fine", "Basic good")[0] == 200
    finally:
        line.close()
        server.tell_to_stop()
        server.join()
