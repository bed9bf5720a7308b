"""What a statement is read as: order of look-up, folding, outcome, score, duration; and junk never raises."""
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verbs.read import from_json, read, score, seconds, to_json
from verbs.tables import load
from verbs.vocabulary import Reading, Score, Via

ADL = "http://adlnet.gov/expapi/verbs/"
COURSE = "http://adlnet.gov/expapi/activities/course"
CMI5_COURSE = "https://w3id.org/xapi/cmi5/activitytype/course"
MEETING = "http://adlnet.gov/expapi/activities/meeting"
SCORM = {"contextActivities": {"category": [{"id": "https://w3id.org/xapi/scorm"}]}}


def statement(verb: str, type_: str = "", result: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"verb": {"id": verb}, "object": {"id": "https://acme.example/c/1", "definition": {"type": type_}}}
    return made | ({} if result is None else {"result": result}) | more


FOLDING = [
    ("http://www.adlnet.gov/expapi/verbs/completed.html", ADL + "completed"),
    ("https://adlnet.gov/expapi/verbs/passed/", ADL + "passed"),
    ("https://www.adlnet.gov/expapi/verbs/failed.html/", ADL + "failed"),
    ("  http://adlnet.gov/expapi/verbs/passed\n", ADL + "passed"),
    ("http://activitystrea.ms/schema/1.0/attend", "http://activitystrea.ms/attend"),
    ("completed", ADL + "completed"),
    ("https://brindlewaye.com/xAPITerms/verbs/loggedin/", "https://brindlewaye.com/xAPITerms/verbs/loggedin"),
]


@pytest.mark.parametrize(("sent", "looked_up"), FOLDING)
def test_an_iri_is_folded_for_the_look_up(sent: str, looked_up: str) -> None:
    reading = read(statement(sent))
    assert reading.via == Via(looked_up, folded=True)


@pytest.mark.parametrize(
    "sent",
    [
        "https://xapi.acme.example/verbs/completed",
        "http://adlnet.gov/verbs/passed",
        "http://training.adlnet.gov/expapi/verbs/completed",
        "app:completed",
        "https://acme.example/not-completed",
        "http://adlnet.gov/expapi/verbs/Completed",
        "http://adlnet.gov/expapi/verbs/completed.json",
        "https://acme.example/completed.html",
        "https://activitystrea.ms/complete",
        "Completed",
        "no-such-word",
        "",
    ],
)
def test_nothing_else_is_folded(sent: str) -> None:
    assert read(statement(sent)) == Reading("unmapped")


def test_activity_types_are_folded_too_but_bare_words_are_not() -> None:
    assert read(statement(ADL + "failed", "https://www.adlnet.gov/expapi/activities/course.html"), "openedx").kind == "no"
    assert read(statement(ADL + "passed", "http://www.adlnet.gov/expapi/activities/objective/")).kind == "never"
    assert read(statement(ADL + "passed", "objective")).kind == "yes"


def test_the_exact_iri_wins_over_the_folded_one() -> None:
    exact = read(statement("http://activitystrea.ms/schema/1.0/join"))
    assert (exact.verb, exact.via) == ("attended", Via("http://activitystrea.ms/schema/1.0/join"))
    assert read(statement("http://activitystrea.ms/join")).verb == "other"
    assert read(statement("http://activitystrea.ms/join", MEETING)).verb == "attended"


def test_leave_is_an_unenrolment_on_a_moodle_course_and_presence_in_a_meeting() -> None:
    leave = "http://activitystrea.ms/leave"
    assert read(statement(leave, CMI5_COURSE), "moodle").verb == "registered"
    assert read(statement(leave, MEETING), "moodle").verb == "attended"
    assert read(statement(leave, CMI5_COURSE)).verb == "other"


def test_the_scorm_profile_is_recognised_by_its_category_whatever_the_credential() -> None:
    for category in (SCORM, {"contextActivities": {"category": {"id": "https://w3id.org/xapi/scorm"}}}):
        reading = read(statement(ADL + "terminated", result={"completion": True, "success": True}, context=category), "acme-vr")
        assert (reading.verb, reading.kind, reading.outcome) == ("session", "yes", "passed")
    plain = read(statement(ADL + "terminated", result={"completion": True, "success": True}), "acme-vr")
    assert (plain.verb, plain.kind, plain.outcome) == ("session", "no", "")


NONE: dict[str, Any] = {}
DONE, NOT_DONE = {"completion": True}, {"completion": False}
WON, LOST = {"success": True}, {"success": False}
RULE_8 = [
    ("passed", NONE, "passed"),
    ("passed", DONE, "passed"),
    ("passed", WON, "passed"),
    ("passed", NOT_DONE, "passed_incomplete"),
    ("passed", NOT_DONE | WON, "passed_incomplete"),
    ("passed", LOST, "contradiction"),
    ("passed", LOST | DONE, "contradiction"),
    ("passed", LOST | NOT_DONE, "contradiction"),
    ("completed", NONE, "completed"),
    ("completed", DONE, "completed"),
    ("completed", WON, "passed"),
    ("completed", LOST, "completed_failed"),
    ("completed", NOT_DONE, "progress"),
    ("completed", NOT_DONE | WON, "progress"),
    ("completed", NOT_DONE | LOST, "progress"),
    ("failed", NONE, "failed"),
    ("failed", DONE | LOST, "failed"),
    ("failed", NOT_DONE, "failed_incomplete"),
    ("failed", WON, "contradiction"),
    ("failed", WON | NOT_DONE, "contradiction"),
    ("scored", DONE | WON, ""),
    ("progressed", DONE | WON, ""),
    ("answered", DONE | WON, ""),
    ("attempted", DONE | WON, ""),
    ("attempted", NOT_DONE, ""),
    ("terminated", DONE | WON, ""),
    ("mastered", DONE | WON, ""),
    ("voided", NONE, ""),
    ("attended", NONE, "attended"),
    ("attended", DONE, "attended"),
    ("attended", NOT_DONE, ""),
]


@pytest.mark.parametrize(("verb", "result", "outcome"), RULE_8)
def test_the_verb_gives_the_class_and_the_result_refines_it(verb: str, result: dict[str, Any], outcome: str) -> None:
    assert read(statement(ADL + verb, result=result or None)).outcome == outcome


CMI5 = "https://w3id.org/xapi/adl/verbs/"
F2F = "https://w3id.org/xapi/acrossx/activities/face-to-face-discussion"
SCORM_OBJECT = "https://xapi.edlm/profiles/edlm-lms/concepts/activity-types/scorm-content-object"
BY_ROW = [
    ("cmi5 satisfied", CMI5 + "satisfied", "", "", NONE, "completed"),
    ("cmi5 satisfied, taken back in its result", CMI5 + "satisfied", "", "", NOT_DONE, "contradiction"),
    ("cmi5 satisfied without success", CMI5 + "satisfied", "", "", LOST, "contradiction"),
    ("cmi5 waived", CMI5 + "waived", "", "", DONE | WON, "waived"),
    ("cmi5 waived, not complete", CMI5 + "waived", "", "", NOT_DONE, "contradiction"),
    ("cmi5 waived, not successful", CMI5 + "waived", "", "", LOST, "contradiction"),
    ("Captivate attempted at the end", ADL + "attempted", "captivate", "", DONE, "completed"),
    ("Captivate attempted, quiz won", ADL + "attempted", "captivate", "", DONE | WON, "passed"),
    ("Captivate attempted, quiz lost", ADL + "attempted", "captivate", "", DONE | LOST, "completed_failed"),
    ("Captivate attempted at the start", ADL + "attempted", "captivate", "", NONE, ""),
    ("Moodle SCORM without a result", ADL + "completed", "moodle", SCORM_OBJECT, NONE, "progress"),
    ("Moodle SCORM, not complete", ADL + "completed", "moodle", SCORM_OBJECT, NOT_DONE, "progress"),
    ("Moodle SCORM, complete", ADL + "completed", "moodle", SCORM_OBJECT, DONE, "completed"),
    ("Moodle face-to-face, there in part", ADL + "attended", "moodle", F2F, NOT_DONE, "attended"),
    ("Jisc lecture, absent", ADL + "attended", "", "http://xapi.jisc.ac.uk/event_timetabled", NOT_DONE, ""),
    ("Jisc lecture, present", ADL + "attended", "", "http://xapi.jisc.ac.uk/event_timetabled", DONE, "attended"),
    ("a join is no attendance by itself", "http://activitystrea.ms/join", "", MEETING, NONE, ""),
    ("objective", ADL + "passed", "", "http://adlnet.gov/expapi/activities/objective", NONE, "passed"),
]


@pytest.mark.parametrize(("verb", "provider", "type_", "result", "outcome"), [row[1:] for row in BY_ROW], ids=[row[0] for row in BY_ROW])
def test_the_outcome_follows_the_row(verb: str, provider: str, type_: str, result: dict[str, Any], outcome: str) -> None:
    assert read(statement(verb, type_, result or None), provider).outcome == outcome


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (DONE, "completed"), (DONE | WON, "passed"), (DONE | LOST, "completed_failed"),
        (NOT_DONE, "progress"), (NONE, "progress"), (WON, "progress"), (LOST, "progress"),
    ],
)  # fmt: skip
def test_a_scorm_terminated_has_the_outcome_of_its_result(result: dict[str, Any], outcome: str) -> None:
    assert read(statement(ADL + "terminated", result=result, context=SCORM)).outcome == outcome


def test_every_line_of_the_outcome_table_is_reached() -> None:
    table = load()
    reached = {
        id(line)
        for row in table.rows for completion in (None, True, False) for success in (None, True, False)
        if (line := table.outcome(row, completion, success))
    }  # fmt: skip
    assert reached == {id(line) for line in table.outcomes}


SCORES = [
    ({"scaled": 0.8, "raw": 1, "max": 100}, "lowest", Score(0.8, 1.0, None, 100.0)),
    ({"raw": 45, "min": 0, "max": 50}, "lowest", Score(0.9, 45.0, 0.0, 50.0)),
    ({"raw": 45, "max": 50}, "lowest", Score(0.9, 45.0, None, 50.0)),
    ({"raw": 45}, "lowest", Score(None, 45.0)),
    ({"raw": 0, "min": 0, "max": 0}, "lowest", Score(None, 0.0, 0.0, 0.0, "max_not_above_min")),
    ({"raw": 5, "min": 9, "max": 3}, "lowest", Score(None, 5.0, 9.0, 3.0, "max_not_above_min")),
    ({"raw": 60, "min": 0, "max": 50}, "lowest", Score(None, 60.0, 0.0, 50.0, "raw_out_of_range")),
    ({"raw": -1, "min": 0}, "lowest", Score(None, -1.0, 0.0, None, "raw_below_min")),
    ({"scaled": 80, "raw": 80, "min": 0, "max": 100}, "lowest", Score(0.8, 80.0, 0.0, 100.0, "scaled_out_of_range")),
    ({"scaled": -0.5}, "lowest", Score(-0.5)),
    ({"raw": "45", "max": 50}, "lowest", Score(None, None, None, 50.0, "raw_unusable")),
    ({"raw": 45, "min": None, "max": 50}, "lowest", Score(None, 45.0, None, 50.0, "min_unusable")),
    ({"scaled": True}, "lowest", Score(flag="scaled_unusable")),
    ({"raw": 12345678901234567890}, "lowest", Score(flag="raw_unusable")),
    ({"raw": float("nan")}, "lowest", Score(flag="raw_unusable")),
    ({}, "lowest", None),
    ({"raw": 33, "min": 24, "max": 60}, "pass_mark", Score(0.55, 33.0, 24.0, 60.0)),
    ({"raw": 33, "min": 24, "max": 60}, "lowest", Score(0.25, 33.0, 24.0, 60.0)),
    ({"raw": 12, "min": 24, "max": 60}, "pass_mark", Score(0.2, 12.0, 24.0, 60.0)),
    ({"raw": 12, "min": 24, "max": 0}, "pass_mark", Score(None, 12.0, 24.0, 0.0, "max_not_above_min")),
]


@pytest.mark.parametrize(("sent", "score_min", "normalised"), SCORES)
def test_a_score_is_normalised_and_never_invented(sent: dict[str, Any], score_min: str, normalised: Score | None) -> None:
    assert score(sent, score_min) == normalised
    assert read(statement(ADL + "scored", result={"score": sent}), score_min=score_min).score == normalised


def test_the_score_of_progress_and_of_an_opinion_is_no_result() -> None:
    for verb in (ADL + "progressed", "http://id.tincanapi.com/verb/rated"):
        assert read(statement(verb, COURSE, {"completion": True, "score": {"scaled": 0.35}})).score is None


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("PT1H30M", 5400.0), ("PT0.5S", 0.5), ("PT1,5S", 1.5), ("P1DT1S", 86401.0), ("P2W", 1209600.0), ("P0Y0M0DT5M", 300.0),
        ("PT0S", 0.0), ("P1.5D", 129600.0), ("P1Y", None), ("P2M", None), ("P", None), ("PT", None), ("P1DT", None), ("-PT5S", None),
        ("PT1.5H2M", None), ("5 min", None), ("PT1S\n", None), ("PT٣S", None), (3, None), (None, None),
    ],
)  # fmt: skip
def test_a_duration_is_seconds_or_nothing(text: object, length: float | None) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize(
    ("iri", "verb"),
    [
        ("https://xapi.acme.example/verbs/completed", "completed"), ("app:passed", "passed"), ("https://a.example/v#Failed", "failed"),
        ("https://a.example/achieved/", "mastered"), ("https://acme.example/not-completed", ""), ("https://a.example/join", ""), ("", ""),
    ],
)  # fmt: skip
def test_an_unmapped_iri_gets_a_suggestion_that_is_never_applied(iri: str, verb: str) -> None:
    assert load().suggestion(iri) == verb
    assert read(statement(iri)).verb == "unmapped"


KEYS = st.sampled_from(
    ["verb", "id", "object", "definition", "type", "result", "score", "scaled", "raw", "min", "max", "completion", "success",
     "duration", "context", "contextActivities", "category"]
)  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=4),
    st.sampled_from([row.verb_iri for row in load().rows] + [row.activity_type for row in load().rows]),
    st.sampled_from(["https://w3id.org/xapi/scorm", "PT1H", "P99999999999Y"]),
)  # fmt: skip
JUNK = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=20)
SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "verb": JUNK | st.fixed_dictionaries({"id": LEAVES}),
        "object": JUNK | st.fixed_dictionaries({"definition": st.fixed_dictionaries({"type": LEAVES})}),
        "result": JUNK | st.dictionaries(KEYS, JUNK, max_size=5),
        "context": JUNK | st.fixed_dictionaries({"contextActivities": st.fixed_dictionaries({"category": JUNK})}),
    },
)


@settings(max_examples=300, deadline=None)
@given(JUNK | SHAPED, LEAVES, LEAVES)
def test_junk_is_read_without_raising_and_the_reading_survives_json(value: Any, provider: Any, score_min: Any) -> None:
    reading = read(value, provider, score_min=score_min)
    assert from_json(to_json(reading)) == reading
    assert read(value, provider, score_min=score_min) == reading
    if reading.score is not None and reading.score.scaled is not None:
        assert -1.0 <= reading.score.scaled <= 1.0


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"verb": 1}', b"\xff"])
def test_json_that_is_no_reading_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(text)
