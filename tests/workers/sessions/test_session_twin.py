"""Zoom's twin, the hook over HTTP, the poll of reports and the conclusion, together."""
from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from session_flow import ADA, MINUTE, SERIES, attended, feed, opened, said_of, session_of, us
from werkzeug.serving import make_server

from lrs.app import create_app
from lrs.completions.model import Person
from lrs.completions.subjects import email_identifiers
from lrs.services import Services
from workers.sessions.conclude import conclude_due
from workers.sessions.poll import GIVEN_UP, STEPS, poll_due

SECRET = "zoom-secret-token"
BOB = Person("8", "bob@example.com", "Bob", identifiers=tuple(email_identifiers("bob@example.com")))
OAUTH = {"account_id": "ACC-1", "client_id": "client", "client_secret": "hush-hush", "allow_private": True}
DAY = 24 * 60 * MINUTE


@pytest.fixture
def twin() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-m", "lrs.sandbox.zoom", "--key", SECRET], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip().removeprefix("listening on ")
        process.kill()


@pytest.fixture
def services(tmp_path: Path, twin: str) -> Iterator[Services]:
    made = opened(tmp_path, url=twin, auth_url=twin, secret_token=SECRET, **OAUTH)
    made.store.directory.put_people([ADA, BOB])
    yield made
    made.store.close()


@pytest.fixture
def hook(services: Services) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, create_app(services), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hooks/zoom/live"
    server.shutdown()
    thread.join()


Play = Callable[..., dict[str, Any]]


@pytest.fixture
def play(twin: str, hook: str) -> Play:
    def play(*participants: dict[str, Any], silent: bool = False, **more: Any) -> dict[str, Any]:
        meeting = {"id": "80000000001", "uuid": "/a+b//c==", "topic": "Safety briefing", "duration": 60,
                   "start_time": "2026-01-01T09:00:00Z", "end_time": "2026-01-01T10:00:00Z", **more, "participants": participants}
        answer = httpx.post(f"{twin}/sandbox/meetings", json=meeting | ({} if silent else {"url": hook}))
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        assert found["sent"] == found["accepted"], httpx.get(f"{twin}/sandbox/sent").text
        return found
    return play


def change(services: Services, **settings: str) -> None:
    there = services.store.connections.by_name("live")
    assert there
    services.store.connections.change("live", settings={**there.settings, **settings})


def person(email: str, *stays: tuple[str, str | None], drop: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {"email": email, **more, "stays": [
        {"join": f"2026-01-01T{join}Z", "leave": f"2026-01-01T{leave}Z" if leave else None, "drop": drop} for join, leave in stays]}


def test_the_handshake_succeeds_with_the_secret_only(services: Services, twin: str, hook: str) -> None:
    assert httpx.post(f"{twin}/sandbox/validate", json={"url": hook}).json()["validated"] is True
    change(services, secret_token="another-one")
    assert httpx.post(f"{twin}/sandbox/validate", json={"url": hook}).json()["validated"] is False


def test_a_meeting_with_rejoin_two_devices_empty_address_and_missing_leave(services: Services, play: Play) -> None:
    play(person("ada@example.com", ("09:00:00", "09:20:00"), ("09:10:00", "09:40:00"), ("09:50:00", "10:00:00")),
         person("", ("09:00:00", "09:55:00"), name="B", registrant_id="REG-8", report_email="bob@example.com"),
         person("cy@example.com", ("09:00:00", "09:30:00"), drop=("left",)))
    conclude_due(services, us("10:05:00"))
    assert sorted(map(said_of, attended(services))) == [
        ("ada@example.com", "PT3000S", True), ("cy@example.com", "PT3600S", True), ("registrant:REG-8", "PT3300S", True)]
    assert feed(services) == [("learning.completed", "7", 1)]
    assert poll_due(services, us("10:10:00")) == 1
    conclude_due(services, us("10:10:00"))
    assert sorted(map(said_of, attended(services))) == [
        ("ada@example.com", "PT3000S", True), ("bob@example.com", "PT3300S", True), ("cy@example.com", "PT1800S", False)]
    assert feed(services) == [("learning.completed", "7", 1), ("learning.completed", "8", 1)]
    assert poll_due(services, us("20:00:00")) == 0


def test_a_meeting_whose_end_was_never_told_is_concluded_from_its_report(services: Services, play: Play) -> None:
    play(person("ada@example.com", ("09:00:00", "09:50:00")), drop=["ended", "participant_left"])
    conclude_due(services, us("11:59:00"))
    assert attended(services) == []
    assert poll_due(services, us("12:00:00")) == 1
    conclude_due(services, us("12:00:00"))
    [one] = attended(services)
    assert said_of(one) == ("ada@example.com", "PT3000S", True)
    assert (session_of(one)["report"], "flags" in session_of(one)) == (True, False)


def test_a_report_of_many_pages_is_read_whole(services: Services, play: Play) -> None:
    play(*(person(f"p{n}@example.com", ("09:00:00", "09:55:00"), drop=("joined", "left")) for n in range(700)))
    assert poll_due(services, us("10:10:00")) == 1
    conclude_due(services, us("10:10:00"))
    assert len(attended(services)) == 700


def test_a_meeting_of_which_no_webhook_came_is_found_by_the_daily_look(services: Services, play: Play) -> None:
    play(person("ada@example.com", ("09:00:00", "09:50:00")), person("bob@example.com", ("09:00:00", "09:10:00")), silent=True)
    assert poll_due(services, us("12:00:00")) == 1
    assert poll_due(services, us("12:00:01")) == 1
    conclude_due(services, us("12:00:02"))
    assert [said_of(one) for one in attended(services)] == [("ada@example.com", "PT3000S", True), ("bob@example.com", "PT600S", False)]
    assert session_of(attended(services)[0])["measured_against"] == "actual"
    assert attended(services)[0]["object"]["id"].startswith(f"{SERIES}#")
    assert poll_due(services, us("12:00:03")) == 0


def test_where_the_plan_has_no_report_the_past_meeting_is_asked(services: Services, play: Play, twin: str) -> None:
    play(person("ada@example.com", ("09:00:00", "09:50:00")), drop=["participant_left"], report=False)
    assert poll_due(services, us("10:10:00")) == 1
    assert [path.split("/")[2] for path in httpx.get(f"{twin}/sandbox/requests").json()[:2]] == ["report", "past_meetings"]


def test_an_expired_token_is_renewed(services: Services, play: Play, twin: str) -> None:
    play(person("ada@example.com", ("09:00:00", "09:50:00")))
    httpx.post(f"{twin}/sandbox/faults", json="expiredx1 /v2")
    assert poll_due(services, us("10:10:00")) == 1


def test_a_limit_is_obeyed_to_the_second_and_uses_up_nothing(services: Services, play: Play, twin: str) -> None:
    play(person("ada@example.com", ("09:00:00", "09:50:00")))
    services.store.sessions.searched("live", 0, us("23:00:00"))
    for n in range(3):
        httpx.post(f"{twin}/sandbox/faults", json="throttle:60x1 /v2")
        assert poll_due(services, us("10:10:00") + n * MINUTE) == 0
    [row] = services.store.sessions.list()
    assert (row.poll_due, row.polls) == (us("10:13:00"), 1)
    assert "429" in row.poll_why
    assert poll_due(services, us("10:13:00") - 1) == 0
    assert poll_due(services, us("10:13:00")) == 1


@pytest.mark.parametrize("fault", ["status:500", "status:404", "status:400"])
def test_a_report_that_is_not_to_be_had_is_asked_for_again(services: Services, play: Play, twin: str, fault: str) -> None:
    play(person("ada@example.com", ("09:00:00", "09:50:00")))
    services.store.sessions.searched("live", 0, us("23:00:00"))
    httpx.post(f"{twin}/sandbox/faults", json=f"{fault}x2 /v2")
    assert poll_due(services, us("10:10:00")) == 0
    [row] = services.store.sessions.list()
    assert row.poll_due == us("10:20:00")
    httpx.delete(f"{twin}/sandbox/faults")
    assert poll_due(services, us("10:20:00")) == 1


def test_a_report_that_never_comes_is_given_up_after_days_and_says_so(services: Services, play: Play) -> None:
    play(person("ada@example.com", ("09:00:00", "09:50:00")), report="none")
    now, tries = us("10:10:00"), 0
    while (row := services.store.sessions.list() or [None])[0] is None or row[0].poll_due is not None:
        now = row[0].poll_due if row and row[0] and row[0].poll_due else now
        poll_due(services, now)
        tries += 1
        assert tries < 20
    [row] = services.store.sessions.list()
    assert row.polls == len(STEPS) + 1
    assert row.poll_why.startswith(GIVEN_UP)
    assert "3001" in row.poll_why
    assert 3 * DAY < now - us("10:10:00") < 5 * DAY
    conclude_due(services, now)
    assert len(attended(services)) == 1


def test_a_twin_that_is_down_loses_nothing_and_shows_no_secret(services: Services, play: Play) -> None:
    play(person("ada@example.com", ("09:00:00", "09:50:00")))
    change(services, url="http://127.0.0.1:9", auth_url="http://127.0.0.1:9")
    assert poll_due(services, us("10:10:00")) == 0
    [row] = services.store.sessions.list()
    assert row.poll_due == us("10:20:00")
    assert "hush-hush" not in row.poll_why


def test_two_workers_ask_once(services: Services, play: Play, twin: str) -> None:
    play(person("ada@example.com", ("09:00:00", "09:50:00")))
    poll_due(services, us("09:00:00"))
    asked = len(httpx.get(f"{twin}/sandbox/requests").json())
    threads = [threading.Thread(target=poll_due, args=(services, us("10:10:00"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(httpx.get(f"{twin}/sandbox/requests").json()) == asked + 1


@pytest.mark.parametrize("wrong", [{}, {"participants": [{}]}, {"participants": [{"stays": [{"join": "noon"}]}]}, []])
def test_the_twin_says_what_is_wrong_with_a_script(twin: str, wrong: object) -> None:
    answer = httpx.post(f"{twin}/sandbox/meetings", json=wrong)
    assert answer.status_code == 400
    assert "error" in answer.json()
