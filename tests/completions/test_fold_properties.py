"""Properties of folding that hold for any evidence: exact round trip, idempotence, no dependence on the order of arrival."""
from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lrs.completions.catalogue import Catalogue
from lrs.completions.events import last_word
from lrs.completions.fold import fold, standings
from lrs.completions.judge import judge
from lrs.completions.model import CREDENTIAL, Course, Evidence, Person
from lrs.completions.outcome import RANK
from lrs.completions.rebind import rebind
from lrs.completions.state import CourseState, from_json, to_json
from verbs.read import read

DAY = 86_400_000_000
ADL = "http://adlnet.gov/expapi/"
CATALOGUE = Catalogue([Course("c")])
NOON = 1_772_000_000_000_000
COURSES = [
    Course("c"),
    Course("c", all_of=("a", "b")),
    Course("c", single_au="a"),
    Course("c", attempts="per_registration"),
    Course("c", repeat_after_days=3),
    Catalogue().course("credential:c"),
]
STATUSES = ["completed", "passed", "failed", "completed_failed", "waived", "scored", "satisfied", "registration_passed", "withdrawn",
            "attended"]  # fmt: skip
OPENING, TAKING = ("learning.completed", "credential.awarded"), ("learning.revoked", "credential.revoked")
ANN = Person("1", "ann@acme.example")


def evidence(days: int = 400, statuses: list[str] | None = None) -> st.SearchStrategy[Evidence]:
    found = st.builds(
        Evidence,
        seq=st.integers(1, 40),
        statement_id=st.just(""),
        at=st.integers(0, days).map(lambda d: NOON + d * DAY),
        status=st.sampled_from(statuses or STATUSES),
        provider=st.sampled_from(["", "acme"]),
        source=st.sampled_from(["lms", "sim"]),
        activity=st.sampled_from(["c", "a", "b"]),
        registration=st.sampled_from(["", "r1", "r2"]),
        score_scaled=st.none() | st.floats(-1, 1),
        score_raw=st.none() | st.floats(0, 100),
        duration=st.none() | st.floats(0, 1e6),
        voided=st.sampled_from([False, False, False, True]),
    )
    return found.map(lambda e: replace(e, statement_id=f"statement {e.seq}"))


def once_each(days: int = 400, statuses: list[str] | None = None) -> st.SearchStrategy[list[Evidence]]:
    return st.lists(evidence(days, statuses), max_size=9, unique_by=lambda e: e.seq)


def folded(items: list[Evidence], course: Course, state: CourseState | None = None, subject: str = "person:1") -> tuple[CourseState, list]:
    """The state after the items one by one, and all events."""
    events: list = []
    for item in items:
        step = fold(state, [item], course=course, subject=subject, person=ANN, now_us=NOON)
        state = step.state
        events += step.publications
    return state or CourseState(), events


@given(once_each(), st.sampled_from(COURSES))
def test_a_state_comes_back_from_its_text_exactly(items, course):
    state, _ = folded(items, course)
    assert from_json(to_json(state)) == state
    assert to_json(from_json(to_json(state))) == to_json(state)


@given(once_each(), st.sampled_from(COURSES))
def test_the_same_evidence_again_changes_nothing_and_sends_nothing(items, course):
    state, _ = folded(items, course)
    again, events = folded(items, course, state)
    assert again == state
    assert events == []
    assert fold(state, items, course=course, subject="person:1", now_us=NOON).state == state


@given(
    once_each(90, ["completed", "passed", "failed", "completed_failed", "scored", "satisfied", "attended"]),
    st.randoms(use_true_random=False),
)
def test_within_one_window_the_order_of_arrival_does_not_matter(items, random):
    shuffled = list(items)
    random.shuffle(shuffled)
    shown = []
    for arrival in (items, shuffled):
        state, _ = folded(arrival, COURSES[0])
        shown.append([(s.window.n, s.outcome) for s in standings(state, COURSES[0])])
    assert shown[0] == shown[1]


@given(once_each(90, ["completed", "passed", "failed", "withdrawn"]), st.sets(st.integers(1, 40)), st.randoms(use_true_random=False))
def test_voids_may_be_routed_before_their_targets(items, voided, random):
    targets = [replace(e, voided=False) for e in items]
    voids = [replace(e, voided=True) for e in targets if e.seq in voided]
    mixed = targets + voids
    random.shuffle(mixed)
    outcomes = []
    for arrival in (targets + voids, mixed):
        state, _ = folded(arrival, COURSES[0])
        outcomes.append([s.outcome for s in standings(state, COURSES[0]) if s.outcome])
    assert outcomes[0] == outcomes[1]


@given(once_each(), st.sampled_from(COURSES), st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), max_size=12))
def test_two_states_that_speak_under_one_id_say_one_story(items, course, turns):
    """Whoever folds what, and however often: for the reader revisions rise by one, and nothing stands twice or falls twice."""
    states, feed, told = [None, None], {}, {}
    for who, index in [*((0, n) for n in range(len(items))), *((who, n) for who, n in turns if n < len(items)),
                       *((1, n) for n in range(len(items)))]:
        step = fold(states[who], [items[index]], course=course, subject="person:1", person=ANN, now_us=NOON, feed=feed.get)
        states[who] = step.state
        for one in step.publications:
            feed[one.id] = last_word(one.payload)
            told.setdefault(one.id, []).append((one.revision, one.event))
    for said in told.values():
        assert [revision for revision, _ in said] == list(range(1, len(said) + 1))
        for n, (_, event) in enumerate(said):
            stood = n > 0 and said[n - 1][1] not in TAKING
            assert (event in OPENING) == (not stood)


@given(once_each(), st.sampled_from(COURSES))
def test_revisions_of_an_achievement_rise_by_one_and_its_key_never_changes(items, course):
    state, events = folded(items, course)
    for window in state.windows:
        own = [p for p in events if p.id == window.id]
        assert [p.revision for p in own] == list(range(1, len(own) + 1))
        assert window.revision == len(own)
        for before, after in pairwise(own):
            assert (after.event in OPENING) == (before.event in TAKING)
    assert [w.n for w in state.windows] == list(range(1, len(state.windows) + 1))
    assert all(p.payload["result"]["status"] in RANK for p in events)


@given(once_each(statuses=["completed", "passed", "failed"]), st.sampled_from(COURSES[:3]))
def test_windows_once_opened_keep_number_id_and_anchor(items, course):
    state = None
    known: dict[int, tuple[str, int]] = {}
    for item in items:
        state = fold(state, [item], course=course, subject="person:1", now_us=NOON).state
        now = {w.n: (w.id, w.anchor) for w in state.windows}
        assert known.items() <= now.items()
        known = now


@given(once_each(), st.sampled_from(COURSES))
def test_rebinding_to_a_person_without_records_keeps_ids_and_sends_each_achievement_once(items, course):
    state, held = folded(items, course, subject="ifi:mbox:x@y.example")
    moved = rebind(state, None, from_subject="ifi:mbox:x@y.example", to_subject="person:1", course=course, person=ANN, now_us=NOON)
    alive = [s for s in standings(state, course) if s.outcome]
    opening = OPENING[course.id.startswith(CREDENTIAL)]
    assert [(p.id, p.event, p.revision) for p in moved.publications] == [(s.window.id, opening, 1) for s in alive]
    assert {p.id for p in moved.publications} <= {p.id for p in held} <= set(moved.cancelled)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = ["id", "actor", "verb", "object", "result", "context", "timestamp", "objectType", "mbox", "account", "definition", "type",
           "extensions", "contextActivities", "parent", "category", "registration", "completion", "success", "score"]  # fmt: skip
SHAPED = st.recursive(
    JSON | st.sampled_from([ADL + "verbs/completed", ADL + "activities/course", "0001-01-01T00:00:00+14:00"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(MEMBERS), SHAPED, max_size=7) | JSON, st.sampled_from(["", "openedx", "moodle"]))
def test_judge_is_total(value, provider):
    reading = read(value, provider)
    judgement = judge(value, reading, seq=1, stored_us=NOON, provider=provider, catalogue=CATALOGUE, now_us=NOON)
    assert judgement.why or judgement.evidence
    for _, item in judgement.evidence:
        fold(None, [item], course=Course("c"), subject="person:1", now_us=NOON)
