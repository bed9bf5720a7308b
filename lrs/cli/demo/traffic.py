"""The demo's traffic: statements in the shapes that real providers send, with what each one is there to show."""
from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

ADL = "http://adlnet.gov/expapi/verbs/"
TYPES = "http://adlnet.gov/expapi/activities/"
CMI5 = {"id": "https://w3id.org/xapi/cmi5/context/categories/cmi5"}
SCORM = {"id": "https://w3id.org/xapi/scorm"}
MOODLE = "https://moodle.acme.example"
FORKLIFT, NEGOTIATION, CONDUCT = (
    "https://sim.acme.example/courses/forklift", "https://content.acme.example/negotiation", "https://content.acme.example/conduct")
NAMESPACE = uuid.UUID("0c9b1a52-9a0c-5d8d-8f43-6b7a3d0e9c11")


@dataclass(frozen=True, slots=True)
class Sent:
    """One statement of the demo: the provider that sends it, what it shows, and the statement itself."""

    provider: str
    shows: str
    statement: dict[str, Any]


def mail(name: str) -> dict[str, Any]:
    return {"objectType": "Agent", "mbox": f"mailto:{name}@acme.example"}


def account(home: str, name: str) -> dict[str, Any]:
    return {"objectType": "Agent", "account": {"homePage": home, "name": name}}


def traffic(run: str, now: datetime) -> Iterator[Sent]:
    """Yield the statements in sending order. `run` makes their ids this run's own; `now` (UTC) dates them."""
    minute = 0

    def say(provider: str, shows: str, actor: dict[str, Any], verb: str, object_id: str, kind: str = "", *,
            result: dict[str, Any] | None = None, context: dict[str, Any] | None = None, name: str = "",
            object_: dict[str, Any] | None = None, again: str = "") -> Sent:
        nonlocal minute
        minute += 1
        activity: dict[str, Any] = {"id": object_id, "definition": {}}
        if kind:
            activity["definition"]["type"] = kind
        if name:
            activity["definition"]["name"] = {"en": name}
        statement = {
            "id": str(uuid.uuid5(NAMESPACE, again or f"{run}/{minute}")),
            "actor": actor,
            "verb": {"id": verb if ":" in verb else ADL + verb, "display": {"en": verb.rsplit("/", 1)[-1]}},
            "object": object_ or activity,
            "timestamp": (now - timedelta(hours=2) + timedelta(minutes=minute)).astimezone(UTC).isoformat().replace("+00:00", "Z"),
        }
        if result is not None:
            statement["result"] = result
        if context is not None:
            statement["context"] = context
        return Sent(provider, shows, statement)

    course, sim = TYPES + "course", TYPES + "simulation"
    ada, bo, cleo, dan, eva = (mail(n) for n in ("ada.ek", "bo.lind", "cleo.marsh", "dan.oduya", "eva.ruiz"))

    # a simulation: attempts and sub-scores of its stations, then the verdict on the course
    yield say("forklift-sim", "a start", ada, "attempted", FORKLIFT, course)
    for station, scaled in (("loading", 0.95), ("ramp", 0.8), ("blind-corner", 0.91)):
        yield say("forklift-sim", "a sub-score of one station", ada, "scored", f"{FORKLIFT}/{station}", sim,
                  result={"score": {"scaled": scaled, "raw": scaled * 100, "min": 0, "max": 100}},
                  context={"contextActivities": {"parent": [{"id": FORKLIFT}]}})
    verdict = say("forklift-sim", "the simulation's verdict on the course", ada, "passed", FORKLIFT, course, name="Forklift safety",
                  result={"success": True, "completion": True, "score": {"scaled": 0.89}, "duration": "PT18M4.50S"})
    yield verdict
    yield Sent("forklift-sim", "the very same statement once more (a network repeat)", verdict.statement)
    yield say("moodle", "the same course, told a second time by Moodle, without a result", account(MOODLE, "101"), "completed",
              f"{MOODLE}/course/view.php?id=7", "https://w3id.org/xapi/cmi5/activitytype/course", name="Forklift safety")
    # (the third source of this course is the LMS, by webhook)

    # cmi5: the assignable unit is not the course; the LMS's `satisfied` is
    registration = str(uuid.uuid5(NAMESPACE, run + "cmi5"))
    cmi5 = {"registration": registration, "contextActivities": {"category": [CMI5]}}
    yield say("cmi5-lms", "a unit of the course: not the course", bo, "passed", "https://lms.acme.example/au/dp-1", TYPES + "lesson",
              result={"success": True, "score": {"scaled": 0.7}, "duration": "PT9M"}, context=cmi5)
    yield say("cmi5-lms", "the LMS says that the course is satisfied", bo, "https://w3id.org/xapi/adl/verbs/satisfied",
              "https://lms.acme.example/courses/data-protection", "https://w3id.org/xapi/cmi5/activitytype/course", context=cmi5)

    # Storyline: an objective whose id begins with the course's id, and a course that is its own parent
    yield say("storyline", "a result slide: an objective, not the course", cleo, "passed", f"{NEGOTIATION}/6kR4/Quiz", TYPES + "objective",
              result={"success": True, "score": {"scaled": 1}})
    yield say("storyline", "the course, which names itself as its parent", cleo, "passed", NEGOTIATION, course,
              result={"success": True, "completion": True, "score": {"scaled": 0.84, "raw": 84, "min": 0, "max": 100}},
              context={"contextActivities": {"parent": [{"id": NEGOTIATION}]}}, name="Negotiation skills")

    # Adapt: everything says `completed`; only the course counts; it comes twice after a language switch
    for part, kind in (("c-05", "media"), ("b-10", "interaction"), ("p-15", "lesson")):
        yield say("adapt", "a part of the page, not the course", dan, "completed", f"{CONDUCT}#{part}", TYPES + kind)
    yield say("adapt", "the course itself", dan, "completed", CONDUCT, course, name="Code of conduct")
    yield say("adapt", "the same again under a new id (Adapt after a language switch)", dan, "completed", CONDUCT, course)

    # Moodle: a course completion has no result at all, and counts
    yield say("moodle", "a Moodle course completion: no result, and it counts", account(MOODLE, "103"), "completed",
              f"{MOODLE}/course/view.php?id=12", "https://w3id.org/xapi/cmi5/activitytype/course", name="First aid")

    # SCORM profile: `completed` on a lesson is a journal entry; its `terminated` holds the outcome
    sco, scorm = "https://content.acme.example/ladders/sco-1", {"contextActivities": {"category": [SCORM]}}
    yield say("scorm-player", "a journal entry of a SCO", eva, "completed", sco, TYPES + "lesson", context=scorm)
    yield say("scorm-player", "the end of the SCO: the only unit of its course, so the course is completed", eva, "terminated", sco,
              TYPES + "lesson", result={"completion": True, "duration": "PT22M"}, context=scorm)
    yield say("scorm-player", "the course status, better than what was derived", eva, "completed", "https://content.acme.example/ladders",
              course, result={"success": True, "score": {"scaled": 0.9}}, context=scorm)

    # H5P: a widget inside a page; a question
    yield say("h5p", "a widget, not a course", bo, "completed", "https://moodle.acme.example/mod/hvp/view.php?id=55", "",
              result={"completion": True, "success": True, "score": {"scaled": 1, "raw": 4, "min": 0, "max": 4}})
    yield say("h5p", "an answer to a question: never a completion", bo, "answered", "https://moodle.acme.example/mod/hvp/view.php?id=55#q1",
              TYPES + "cmi.interaction", result={"response": "1[,]3", "success": True, "completion": True})

    # a completion that is taken back
    wrong = say("adapt", "a completion that will be taken back", bo, "completed", CONDUCT, course)
    yield wrong
    yield say("adapt", "the same provider voids it", mail("content.team"), "voided", "", object_={
        "objectType": "StatementRef", "id": wrong.statement["id"]})

    # a verb that nobody has mapped, and a person whom nobody knows
    yield say("simulator-lab", "a verb without a mapping: counted, shown, never forwarded", ada,
              "https://xapi.acme.example/verbs/finished", "https://lab.acme.example/crane", course)
    yield say("cmi5-lms", "a person whom the directory does not know (yet)", account("https://partner.example", "grace"), "passed",
              NEGOTIATION, course, result={"success": True, "score": {"scaled": 0.77}})
