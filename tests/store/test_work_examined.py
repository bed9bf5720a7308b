"""What a store shows to `lrs verify` of the worker's side: the same of each kind, and of one moment."""
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lrs.store.mongo import examined_work
from lrs.store.protocols.examined import Achievement, Event, Owed
from lrs.store.protocols.work import Cursor, Output, Published, StateRow, TargetRow
from lrs.store.webhook_ids import webhook_id


def event(name: str, revision: int = 1) -> Published:
    return Published("learning.completed" if revision == 1 else "learning.updated", name, revision, b"{}")


def state(subject: str, course: str, *windows: tuple[str, int | None]) -> StateRow:
    return StateRow(subject, course, json.dumps({"windows": [{"id": name, "revision": revision} for name, revision in windows]}).encode())


@pytest.fixture
def work(open_part: Callable[[str], Any]) -> Any:
    made = open_part("work")
    for name in ("crm", "hr"):
        made.add_target(TargetRow(name, "webhook"))
    # 'ä' comes after 'z' by its bytes
    output = Output([state("p:2", "c", ("z", 2), ("ä", 1)), state("p:1", "c", ("b", None)), StateRow("p:3", "c", b"{}")],
                    [event("z"), event("ä"), event("z", 2)], [(0, "hr"), (0, "crm"), (1, "hr"), (2, "hr")])
    assert made.advance("route", Cursor(), Cursor(7, 3), output)
    assert made.advance("other", Cursor(), Cursor(5, 0), Output())
    return made


EVENTS = [Event(1, "z", 1, "learning.completed"), Event(3, "z", 2, "learning.updated"), Event(2, "ä", 1, "learning.completed")]


def test_cursors_events_achievements_and_deliveries_are_shown_in_order(work: Any) -> None:
    assert work.cursors() == {"route": Cursor(7, 3), "other": Cursor(5, 0)}
    assert list(work.events()) == EVENTS
    assert list(work.achievements()) == [Achievement("b", 0, "p:1", "c"), Achievement("z", 2, "p:2", "c"), Achievement("ä", 1, "p:2", "c")]
    owed = list(work.owed())
    assert [(one.event_id, one.revision) for one in owed] == [("z", 1), ("z", 1), ("z", 2), ("ä", 1)]
    assert set(owed) == {Owed(webhook_id(target, name, revision), target, name, revision)
                         for target, name, revision in (("hr", "z", 1), ("crm", "z", 1), ("hr", "ä", 1), ("hr", "z", 2))}


def test_what_is_read_at_once_is_of_one_moment(work: Any, open_part: Callable[[str], Any]) -> None:
    other = open_part("work")
    with work.at_once():
        assert list(work.events()) == EVENTS
        assert other.advance("route", Cursor(7, 3), Cursor(9, 3), Output([state("p:1", "c", ("b", 1))], [event("b")], [(0, "hr")]))
        assert list(work.events()) == EVENTS
        assert len(list(work.owed())) == 4
        assert work.cursors()["route"] == Cursor(7, 3)
        assert next(work.achievements()).revision == 0
    assert next(work.events()).id == "b"
    assert len(list(work.owed())) == 5
    assert next(work.achievements()).revision == 1


def test_pages_and_runs_do_not_show(work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [(f"e{n:03d}", revision) for n in range(40) for revision in (1, 2, 3)]
    for revision in (1, 2, 3):
        seq = 7 + revision
        now = [one for one in many if one[1] == revision]
        assert work.advance("route", work.cursor("route"), Cursor(seq, 3), Output(
            [state(f"q:{name}", "c", (name, revision)) for name, _ in now], [event(*one) for one in now],
            [(index, "hr") for index in range(len(now))]))
    for name, size in (("PAGE", 2), ("STATES_PAGE", 3), ("RUN", 5)):
        monkeypatch.setattr(examined_work, name, size)
    assert [(one.id, one.revision) for one in work.events() if one.id[0] == "e"] == many
    assert [(one.event_id, one.revision) for one in work.owed() if one.event_id[0] == "e"] == many
    assert [one.id for one in work.achievements()] == ["b", *(f"e{n:03d}" for n in range(40)), "z", "ä"]
