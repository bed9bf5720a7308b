"""When a live session is concluded, what is written about whom, and how it is corrected."""
from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from session_flow import ADA, COURSE, MINUTE, SERIES, UUID, attended, feed, hear, opened, said_of, sender, session_of, us, webhook

from lrs.auth import credentials
from lrs.completions.model import Course, Person
from lrs.ingest.batch import accept
from lrs.ingest.prepare import VOIDED
from lrs.services import Services
from lrs.sources.sessions import ATTENDED, SESSION, statement
from lrs.sources.zoom.translate import translate
from workers.sessions.conclude import conclude_due

ADA_1 = {"user_id": "1001", "participant_uuid": "PU-1", "email": "ada@example.com"}
ADA_2 = {"user_id": "1002", "participant_uuid": "PU-2", "email": "Ada@example.com"}
LATER = us("12:00:00")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made = opened(tmp_path)
    made.store.directory.put_people([ADA])
    yield made
    made.store.close()


def test_two_devices_at_once_count_their_union_once(services: Services) -> None:
    hear(services, webhook("joined", "09:00:05", **ADA_1), webhook("joined", "09:15:00", **ADA_2),
         webhook("left", "09:20:00", **ADA_1), webhook("left", "09:40:00", **ADA_2), webhook("ended", "09:48:40"))
    conclude_due(services, us("09:53:40"))
    [one] = attended(services)
    assert said_of(one) == ("ada@example.com", "PT2395S", False)
    assert one["object"]["id"] == f"{SERIES}#xY7%2B%2Fabc%3D%3D"
    assert [parent["id"] for parent in one["context"]["contextActivities"]["parent"]] == [SERIES]
    assert one["timestamp"].startswith("2026-01-01T09:00:05")
    assert session_of(one) == {
        "connection": "live", "instance": UUID, "conclusion": 1, "length_seconds": 2915, "scheduled_seconds": 3600,
        "measured_against": "scheduled", "threshold_percent": 80, "report": False}


def test_who_never_leaves_stayed_until_the_end(services: Services) -> None:
    hear(services, webhook("joined", "09:00:10", **ADA_1), webhook("ended", "09:48:40"))
    conclude_due(services, LATER)
    [one] = attended(services)
    assert said_of(one) == ("ada@example.com", "PT2910S", True)
    assert session_of(one)["flags"] == ["no_leave"]


def test_nothing_is_concluded_before_five_minutes_after_the_end(services: Services) -> None:
    hear(services, webhook("joined", "09:00:10", **ADA_1), webhook("ended", "09:48:40"))
    conclude_due(services, us("09:53:40") - 1)
    assert attended(services) == []
    conclude_due(services, us("09:53:40"))
    assert len(attended(services)) == 1


def test_without_an_end_it_is_concluded_two_hours_after_the_scheduled_end(services: Services) -> None:
    hear(services, webhook("joined", "09:00:10", **ADA_1))
    conclude_due(services, us("12:00:09"))
    assert attended(services) == []
    conclude_due(services, us("12:00:10"))
    [one] = attended(services)
    assert said_of(one) == ("ada@example.com", "PT3600S", True)


def test_without_end_and_schedule_it_is_concluded_a_day_after_the_last_event_and_nobody_is_judged(services: Services) -> None:
    hear(services, webhook("joined", "09:00:00", minutes=0, **ADA_1), webhook("left", "09:30:00", minutes=0, **ADA_1))
    day = 24 * 60 * MINUTE
    conclude_due(services, us("09:30:00") + day - 1)
    assert attended(services) == []
    conclude_due(services, us("09:30:00") + day)
    [one] = attended(services)
    assert said_of(one) == ("ada@example.com", "PT1800S", None)
    assert feed(services) == []


def test_a_meeting_without_schedule_is_measured_against_how_long_it_was(services: Services) -> None:
    hear(services, webhook("started", "09:00:00", minutes=0), webhook("joined", "09:00:00", minutes=0, **ADA_1),
         webhook("left", "09:40:00", minutes=0, **ADA_1), webhook("ended", "09:50:00", minutes=0))
    conclude_due(services, LATER)
    [one] = attended(services)
    assert said_of(one) == ("ada@example.com", "PT2400S", True)
    assert session_of(one)["measured_against"] == "actual"
    assert feed(services) == [("learning.completed", "7", 1)]


@pytest.mark.parametrize(("left", "done"), [("09:47:00", []), ("09:48:00", [("learning.completed", "7", 1)])])
def test_presence_of_the_threshold_completes_the_tied_course(services: Services, left: str, done: list[tuple[str, str, int]]) -> None:
    hear(services, webhook("joined", "09:00:00", **ADA_1), webhook("left", left, **ADA_1), webhook("ended", "10:00:00"))
    conclude_due(services, LATER)
    assert feed(services) == done


def test_the_courses_own_threshold_decides(services: Services) -> None:
    services.store.directory.put_courses([Course(COURSE, "Briefing", sessions=(SERIES,), attendance_percent=50)])
    hear(services, webhook("joined", "09:00:00", **ADA_1), webhook("left", "09:30:00", **ADA_1), webhook("ended", "10:00:00"))
    conclude_due(services, LATER)
    assert said_of(attended(services)[0])[2] is False
    assert feed(services) == [("learning.completed", "7", 1)]


def test_the_connections_threshold_and_what_it_is_of_are_settings(tmp_path: Path) -> None:
    services = opened(tmp_path, attendance_percent=50, attendance_of="actual")
    hear(services, webhook("joined", "09:00:00", **ADA_1), webhook("left", "09:16:00", **ADA_1), webhook("ended", "09:30:00"))
    conclude_due(services, LATER)
    [one] = attended(services)
    assert said_of(one) == ("ada@example.com", "PT960S", True)
    assert session_of(one)["measured_against"] == "actual"
    services.store.close()


def test_a_leave_that_comes_late_is_a_new_statement_and_then_the_void_of_the_old_one(services: Services) -> None:
    hear(services, webhook("joined", "09:00:00", **ADA_1), webhook("ended", "10:00:00"))
    conclude_due(services, us("10:05:00"))
    assert feed(services) == [("learning.completed", "7", 1)]
    [first] = attended(services)
    hear(services, webhook("left", "09:20:00", **ADA_1))
    conclude_due(services, us("10:25:00"))
    [second] = attended(services)
    assert said_of(second) == ("ada@example.com", "PT1200S", False)
    assert session_of(second)["conclusion"] == 2
    *_, new, void = [json.loads(record.text) for record in services.store.statements.follow(0, 100)]
    assert (new["id"], new["verb"]["id"]) == (second["id"], ATTENDED)
    assert (void["verb"]["id"], void["object"]["id"]) == (VOIDED, first["id"])
    assert feed(services)[-1] == ("learning.revoked", "7", 2)


def test_a_change_of_one_percent_is_no_correction(services: Services) -> None:
    hear(services, webhook("joined", "09:00:00", **ADA_1), webhook("ended", "10:00:00"))
    conclude_due(services, us("10:05:00"))
    before = services.store.statements.count()
    hear(services, webhook("left", "09:59:24", **ADA_1))
    conclude_due(services, us("10:25:00"))
    assert services.store.statements.count() == before + 1
    assert said_of(attended(services)[0])[1] == "PT3600S"


def test_a_smaller_change_is_one_where_it_changes_the_judgement(services: Services) -> None:
    hear(services, webhook("joined", "09:00:00", **ADA_1), webhook("left", "09:48:00", **ADA_1), webhook("ended", "10:00:00"))
    conclude_due(services, us("10:05:00"))
    hear(services, webhook("joined", "08:59:50", **ADA_2), webhook("left", "08:59:55", **ADA_2))
    conclude_due(services, us("10:25:00"))
    assert len(attended(services)) == 1
    hear(services, webhook("joined", "09:00:01", user_id="1", email="bob@example.com"),
         webhook("left", "09:47:59", user_id="1", email="bob@example.com"))
    conclude_due(services, us("10:25:00"))
    hear(services, webhook("joined", "09:50:00", user_id="2", email="bob@example.com"),
         webhook("left", "09:50:02", user_id="2", email="bob@example.com"))
    conclude_due(services, us("10:25:00"))
    assert [said_of(one) for one in attended(services)] == [
        ("ada@example.com", "PT2880S", True), ("bob@example.com", "PT2880S", True)]


def test_the_same_again_writes_nothing(services: Services) -> None:
    hear(services, webhook("joined", "09:00:00", **ADA_1), webhook("ended", "10:00:00"))
    assert conclude_due(services, LATER) > 0
    before = services.store.statements.count()
    assert conclude_due(services, LATER) == 0
    hear(services, webhook("ended", "10:00:00"))
    conclude_due(services, LATER + MINUTE)
    assert services.store.statements.count() == before


def test_somebody_who_names_himself_later_is_one_person(services: Services) -> None:
    hear(services, webhook("joined", "09:00:00", user_id="1001", registrant_id="R-1"), webhook("ended", "10:00:00"))
    conclude_due(services, us("10:05:00"))
    assert said_of(attended(services)[0])[0] == "registrant:R-1"
    hear(services, webhook("left", "09:59:59", user_id="1001", registrant_id="R-1", email="ada@example.com"))
    conclude_due(services, us("10:25:00"))
    [one] = attended(services)
    assert said_of(one) == ("ada@example.com", "PT3599S", True)
    assert feed(services) == [("learning.completed", "7", 1)]


def test_an_identifier_that_the_directory_knows_names_the_person(services: Services) -> None:
    services.store.directory.put_people([Person("8", "bob@corp.example", "Bob", identifiers=("account:https://zoom.us|registrant:R-8",))])
    hear(services, webhook("joined", "09:00:00", user_id="1", email="bob@home.example", registrant_id="R-8"),
         webhook("joined", "09:00:00", user_id="2", email="bob@home.example"), webhook("ended", "10:00:00"))
    conclude_due(services, LATER)
    [one] = attended(services)
    assert one["actor"]["account"] == {"homePage": "https://zoom.us", "name": "registrant:R-8"}
    assert feed(services) == [("learning.completed", "8", 1)]


def test_a_join_that_is_voided_is_taken_back_and_may_come_again(services: Services) -> None:
    hear(services, webhook("joined", "09:00:00", **ADA_1), webhook("ended", "10:00:00"))
    conclude_due(services, us("10:05:00"))
    join = services.store.statements.follow(0, 1)[0].id
    void = {"actor": dict(sender(services).authority), "verb": {"id": VOIDED}, "object": {"objectType": "StatementRef", "id": join}}
    accept(services, json.dumps(void).encode(), sender(services))
    conclude_due(services, us("10:25:00"))
    assert attended(services) == []
    hear(services, webhook("joined", "09:00:01", **ADA_1))
    conclude_due(services, us("10:25:00"))
    assert [said_of(one)[1] for one in attended(services)] == ["PT3599S"]


def test_another_providers_word_on_the_session_is_not_taken(services: Services) -> None:
    hear(services, webhook("joined", "09:00:00", **ADA_1), webhook("left", "09:10:00", **ADA_1), webhook("ended", "10:00:00"))
    credentials.create(services.store.credentials, name="Content", public_url="https://lrs.example", key="content")
    for record in services.store.statements.follow(0, 10):
        forged = json.loads(record.text)
        for name in ("id", "authority", "stored"):
            forged.pop(name)
        forged["actor"] = {"mbox": "mailto:eve@example.com"}
        forged["timestamp"] = forged["timestamp"].replace("09:10:00", "10:00:00")
        accept(services, json.dumps(forged).encode(), sender(services, "content"))
    conclude_due(services, LATER)
    assert [said_of(one)[0] for one in attended(services)] == ["ada@example.com"]


def test_runs_of_one_meeting_are_concluded_apart(services: Services) -> None:
    hear(services, webhook("joined", "09:00:00", **ADA_1), webhook("ended", "09:50:00"),
         webhook("joined", "11:00:00", uuid="second", **ADA_1), webhook("ended", "11:10:00", uuid="second"))
    conclude_due(services, LATER)
    assert [said_of(one)[1:] for one in attended(services)] == [("PT3000S", True), ("PT600S", False)]


def test_a_revoked_credential_concludes_nothing_and_the_row_says_why(services: Services) -> None:
    hear(services, webhook("joined", "09:00:00", **ADA_1), webhook("ended", "10:00:00"))
    services.store.credentials.revoke("zoomkey")
    conclude_due(services, LATER)
    [row] = services.store.sessions.list()
    assert "revoked" in row.why
    assert attended(services) == []


def test_many_people_are_concluded_in_several_batches(services: Services) -> None:
    one = [webhook("joined", "09:00:00", user_id=str(n), email=f"p{n}@example.com") for n in range(600)]
    hear(services, *one[:3], webhook("ended", "10:00:00"))
    said = [statement(each) for hook in one[3:] for each in translate(hook, "live", "https://lrs.example", lambda _: ()).said]
    accept(services, json.dumps(said).encode(), sender(services))
    conclude_due(services, LATER)
    assert len(attended(services)) == 600


JSON = st.recursive(st.none() | st.booleans() | st.integers(-10, 10**12) | st.floats(-1e9, 1e9) | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2), max_leaves=4)
FIELDS = ("instance", "participant", "device", "scheduled_start", "scheduled_seconds", "report", "conclusion", "recording")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(FIELDS), JSON), st.sampled_from(["joined", "left", "ended", ATTENDED]), st.integers(0, 2**32))
def test_whatever_the_extension_holds_others_are_concluded(services: Services, session: dict[str, object], what: str, n: int) -> None:
    [said] = translate(webhook("joined" if what == ATTENDED else what, "09:00:00", uuid=str(n), **({} if what == "ended" else ADA_1)),
                       "live", "https://lrs.example", lambda _: ()).said
    odd = statement(said)
    odd["context"]["extensions"][SESSION] = {**session, "connection": "live"}
    odd["id"] = str(uuid.uuid4())
    if what == ATTENDED:
        odd["verb"]["id"] = ATTENDED
    accept(services, json.dumps(odd).encode(), sender(services))
    hear(services, webhook("joined", "09:00:00", uuid=str(n), **ADA_1), webhook("ended", "09:10:00", uuid=str(n)))
    conclude_due(services, LATER)
    [row] = [row for row in services.store.sessions.list(limit=1000) if row.instance == odd["object"]["id"]]
    assert (row.due is None) or "refused" in row.why
