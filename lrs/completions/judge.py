"""Judge one statement: for which courses it is evidence, of whom, and by which rule."""
from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import msgspec
from msgspec.structs import replace

from lrs.completions.catalogue import Catalogue, ProviderRules, Role
from lrs.completions.model import CREDENTIAL, Evidence
from lrs.completions.presence import SESSION, long_enough
from lrs.completions.subjects import identifier
from lrs.statements.instants import instant
from verbs.read import mapping, recognised
from verbs.tables import load
from verbs.vocabulary import Reading

CMI5 = "https://w3id.org/xapi/cmi5/context/categories/cmi5"
CMI5_SESSION = "https://w3id.org/xapi/cmi5/context/extensions/sessionid"
CMI5_LAUNCH_MODE = "https://w3id.org/xapi/cmi5/context/extensions/launchmode"
LEARNER = "http://vocab.xapi.fr/extensions/learner"
CLOCK_TOLERANCE_US = 5 * 60 * 1_000_000
EARLIEST_US = -62_135_596_800 * 1_000_000  # 0001-01-01: an offset may name an instant before the calendar begins

# Verbs that name their learner in the context extension only: the actor is the instructor (rule 14).
LEARNER_IN_EXTENSION = frozenset({"http://vocab.xapi.fr/verbs/reset"})
# Verbs that take back a credential, never a completion (rule 20).
CREDENTIAL_REVOKES = frozenset({"https://w3id.org/xapi/tla/verbs/forfeited", "http://id.tincanapi.com/verb/expired"})
# Rows (provider, activity type) whose `completed` counts only with completion=true in the result (rule 11).
COUNTS_WITH_COMPLETION = frozenset({("moodle", "https://xapi.edlm/profiles/edlm-lms/concepts/activity-types/scorm-content-object")})

# Canonical verbs that never say that anything is done, and the rule that keeps them out.
SILENT: Mapping[str, tuple[str, str]] = {
    "progressed": ("10", "progress is never a completion, whatever its result says"),
    "answered": ("1", "an answer never completes anything"),
    "abandoned": ("6", "an abandoned session is no outcome"),
    "registered": ("18", "enrolment is no completion"),
    "experienced": ("1", "looking at something is no completion"),
    "interacted": ("1", "an action inside content is no completion"),
    "other": ("1", "it does not speak of anybody's learning"),
}
HELD: Mapping[str, str] = {
    "passed_incomplete": "passed, but not yet complete: held until it is",
    "failed_incomplete": "failed so far, but still under way: recorded only",
    "progress": "it says itself that the work is not complete: read as progress",
    "contradiction": "verb and result contradict each other: recorded and listed, nothing is sent",
}
SENT = frozenset({"completed", "passed", "failed", "completed_failed", "waived"})


class Judgement(msgspec.Struct, frozen=True):
    """`evidence`: (key of the course state, evidence) pairs to fold, for the learner that `identifiers` name
    (normal forms, the naming one first; not always the actor). A key `cmi5:<registration>` is folded like a
    course and publishes nothing; a key `credential:<activity id>` publishes credential events (rule 20). `hold`: ''
    or why nothing is sent though something was meant (`unmapped`, `passed_incomplete`, `failed_incomplete`,
    `progress`, `contradiction`, `untrusted`). `rule`: number of the rule that decided, `why`: a sentence for people.
    `flags`: what was repaired (`clock_ahead`, score flags)."""

    evidence: tuple[tuple[str, Evidence], ...] = ()
    identifiers: tuple[str, ...] = ()
    hold: str = ""
    rule: str = ""
    why: str = ""
    flags: tuple[str, ...] = ()


def judge(
    statement: Mapping[str, object],
    reading: Reading,
    *,
    seq: int,
    stored_us: int,
    provider: str,
    catalogue: Catalogue,
    now_us: int,
    voided: bool = False,
    source: str = "",
) -> Judgement:
    """What this statement is evidence of; total, never raises. For a void, judge the *target* with `voided=True` and
    fold the result: nothing else is to be done. `source` is the connection it came by (default: the provider)."""
    said = _Said(statement, reading, catalogue.rules(provider), catalogue)
    at, flags = _at(statement, stored_us, now_us)
    if reading.score and reading.score.flag:
        flags += tuple(reading.score.flag.split())
    silent = said.silence()
    if silent is not None:
        return Judgement((), said.learner, silent.hold, silent.rule, silent.why, flags)
    if reading.verb == "attended" or reading.verb == "mastered" or said.verb_iri in CREDENTIAL_REVOKES:
        base = _evidence(statement, reading, seq, at, "", provider, source or provider, voided)
        found = _attendance(said, base, catalogue) if reading.verb == "attended" else _credential(said, base, catalogue)
        return replace(found, identifiers=said.learner, flags=flags)
    status, rule = said.status()
    if status in HELD and said.speaking_roles(status):
        return Judgement((), said.learner, status, rule, _sentence(HELD[status], rule), flags)
    base = _evidence(statement, reading, seq, at, status, provider, source or provider, voided)
    pairs: list[tuple[str, Evidence]] = []
    if said.passes_cmi5():
        pairs.append((f"cmi5:{base.registration}", replace(base, status="passed", activity=said.object_id())))
    owners: list[str] = []
    for role in said.speaking_roles(status):
        if owner := _other_owner(catalogue, role.course, provider):
            owners.append(owner)
            continue
        pairs.append((role.course, replace(base, activity=role.activity)))
        if reading.verb == "satisfied" and base.registration:
            pairs.append((f"cmi5:{base.registration}", replace(base, activity=role.course)))
    courses = [key for key, _ in pairs if not key.startswith("cmi5:")]
    if courses:
        return Judgement(tuple(pairs), said.learner, "", rule, _counts(status, courses, rule), flags)
    if owners:
        return Judgement(tuple(pairs), said.learner, "untrusted", "16", _untrusted(owners[0], provider), flags)
    rule, why = said.no_course()
    return Judgement(tuple(pairs), said.learner, "", rule, f"{why} (rule {rule}).", flags)


def _attendance(said: _Said, base: Evidence, catalogue: Catalogue) -> Judgement:
    """Presence in a session, for the courses that the catalogue ties it to (rules 19, 19a)."""
    if not said.reading.outcome:
        return Judgement(rule="19a", why="It says that the learner was absent: no attendance (rule 19a).")
    ties = said.ties()
    if not ties:
        return Judgement(rule="19", why="Presence completes a course only where the catalogue ties the session to it (rule 19).")
    pairs: list[tuple[str, Evidence]] = []
    owners: list[str] = []
    for role in ties:
        if owner := _other_owner(catalogue, role.course, base.provider):
            owners.append(owner)
            continue
        done = said.present_for(catalogue.course(role.course).attendance_percent)
        pairs.append((role.course, replace(base, status="completed" if done else "attended", activity=role.activity)))
    completed = [course for course, one in pairs if one.status == "completed"]
    if completed:
        return Judgement(tuple(pairs), rule="19", why=_counts("completed", completed, "19"))
    if pairs:
        rule = "19a" if said.result.get("completion") is False else "19"
        why = f"The presence is too short to complete {', '.join(course for course, _ in pairs)}: attended, on record only (rule {rule})."
        return Judgement(tuple(pairs), rule=rule, why=why)
    return Judgement(hold="untrusted", rule="16", why=_untrusted(owners[0], base.provider))


def _credential(said: _Said, base: Evidence, catalogue: Catalogue) -> Judgement:
    """A badge or certificate awarded or taken back (rule 20); never evidence of a course."""
    awarded = said.reading.verb == "mastered"
    if awarded and not said.credentials_on():
        return Judgement(rule="20", why="A credential is no completion, and credentials are not switched on for this provider (rule 20).")
    if not said.object_id():
        return Judgement(rule="20", why="It does not name the credential (rule 20).")
    if awarded and (said.result.get("success") is False or said.result.get("completion") is False):
        return Judgement(hold="contradiction", rule="20", why=_sentence(HELD["contradiction"], "20"))
    if owner := _other_owner(catalogue, said.object_id(), base.provider):
        return Judgement(hold="untrusted", rule="16", why=_untrusted(owner, base.provider))
    one = replace(base, status="awarded" if awarded else "withdrawn", activity=said.object_id())
    does = "Awards the credential" if awarded else "Takes back the credential, where it was awarded,"
    return Judgement(((f"{CREDENTIAL}{said.object_id()}", one),), rule="20", why=f"{does} {said.object_id()} (rule 20).")


def _other_owner(catalogue: Catalogue, course: str, provider: str) -> str:
    """The provider that owns the course, if it is another than this one (rule 16)."""
    owner = catalogue.course(course).provider
    return "" if owner == provider else owner


def _untrusted(owner: str, provider: str) -> str:
    return f"The course belongs to provider {owner}: {provider or 'this sender'} may not speak for it (rule 16)."


class _Said:
    """The parts of one statement that the rules ask for."""

    def __init__(self, statement: Mapping[str, object], reading: Reading, rules: ProviderRules, catalogue: Catalogue) -> None:
        self.value, self.reading, self.rules = mapping(statement), reading, rules
        self.object = mapping(self.value.get("object"))
        self.result = mapping(self.value.get("result"))
        self.context = mapping(self.value.get("context"))
        self.extensions = mapping(self.context.get("extensions"))
        activities = mapping(self.context.get("contextActivities"))
        categories = {a.get("id") for a in _listed(activities.get("category")) if isinstance(a.get("id"), str)}
        self.cmi5 = CMI5 in categories and not rules.not_cmi5
        self.cmi5_allowed = CMI5_SESSION in self.extensions and CMI5 not in categories and not rules.not_cmi5
        self.scorm = "scorm_profile" in (rules.provider, *recognised(self.value, load()))
        self.verb_iri = reading.via.verb_iri if reading.via else ""
        self.canonical = catalogue.canonical
        self.roles = catalogue.roles(self.object, _listed(activities.get("parent")), rules)
        self.session = mapping(self.extensions.get(SESSION))
        above = [*_listed(activities.get("parent")), *_listed(activities.get("grouping"))]
        self.ties = partial(catalogue.ties, self.object, above, series=bool(self.session))
        named = self.extensions.get(LEARNER) if reading.kind == "revoke" else None
        self.actor = mapping(named if named is not None or self.verb_iri in LEARNER_IN_EXTENSION else self.value.get("actor"))
        self.learner = () if self.actor.get("objectType") == "Group" else tuple(identifier(self.actor))

    def object_id(self) -> str:
        found = self.object.get("id")
        return self.canonical(found) if isinstance(found, str) else ""

    def present_for(self, percent: int | None) -> bool:
        """Whether the presence is a completion for a course with this threshold of its own."""
        completion = self.result.get("completion")
        return long_enough(self.session, completion if isinstance(completion, bool) else None, self.reading.duration, percent)

    def credentials_on(self) -> bool:
        """Whether this award counts: switched on by the row itself, or by the provider's rules."""
        return self.reading.kind == "yes" or "mastered" in self.rules.opt_in or self.verb_iri in self.rules.opt_in

    def silence(self) -> Judgement | None:
        """Why the statement speaks of no completion at all, whatever its object; None if it may."""
        reading = self.reading
        if reading.verb == "unmapped":
            return Judgement(hold="unmapped", rule="18", why="Its verb has no row in the verb map: counted and listed, not sent (rule 18).")
        for holds, rule, why in (
            (reading.verb == "voided", "14", "it voids another statement: what rests on that one only is taken back"),
            (self.object.get("objectType", "Activity") != "Activity", "16", "its object is no activity: that is never evidence"),
            (self.verb_iri in LEARNER_IN_EXTENSION and not self.learner, "14", "it does not say whose results it takes back"),
            (self.actor.get("objectType") == "Group", "16", "a group completes nothing for its members"),
            (not self.learner, "17", "its learner has no identifier that could be anybody's"),
            (reading.kind == "revoke", "", ""),
            (self.extensions.get(CMI5_LAUNCH_MODE) in ("Browse", "Review"), "6", "it was launched to browse or review: nothing counts"),
            (self.cmi5_allowed, "6", "it belongs to a cmi5 session but is not defined by cmi5: no evidence by itself"),
            (reading.verb == "attended" and reading.kind in ("no", "never"), "19", "joining, leaving or hosting is no attendance"),
            (reading.verb in SILENT, *SILENT.get(reading.verb, ("", ""))),
            (reading.kind == "never", *self._never()),
        ):
            if holds:
                return Judgement(rule=rule, why=_sentence(why, rule)) if rule else None
        return self._class_silence()

    def _never(self) -> tuple[str, str]:
        if self.reading.verb in ("passed", "failed"):
            return "4", "an objective is not the course, even if its id begins with the course's id"
        return "1", "this verb never completes anything"

    def _class_silence(self) -> Judgement | None:
        reading, rules = self.reading, self.rules
        opted = reading.verb in rules.opt_in or self.verb_iri in rules.opt_in or reading.verb == "mastered"
        for holds, rule, why in (
            (reading.verb == "attempted" and not (rules.attempted_completes and self.result.get("completion") is True), "9",
             "an attempt is a start"),
            (reading.verb == "session" and not (self.scorm and reading.kind == "yes"), "7", "the end of a session is no outcome"),
            (reading.verb == "session" and not reading.outcome, "7", "the session ended without an outcome"),
            (self._failed_says_nothing(), "13a", "this provider says failed at every grade below passing: recorded, no verdict"),
            (reading.kind == "opt_in" and reading.verb != "attempted" and not opted, "8", "this verb counts only after it is switched on"),
            (reading.kind == "no" and reading.verb == "satisfied", "6", "a block is satisfied, not the course"),
            (reading.kind == "no" and reading.verb == "completed" and not self._says_so_itself(), "11",
             "from this sender the verb does not mean that it is complete"),
            (reading.kind == "no" and reading.verb not in ("scored", "attempted", "failed", "completed"), "1",
             "this verb does not complete anything"),
        ):  # fmt: skip
            if holds:
                return Judgement(rule=rule, why=_sentence(why, rule))
        return None

    def _says_so_itself(self) -> bool:
        """Whether it is one of the statements that count once their result says completion=true (rule 11)."""
        via = self.reading.via
        return bool(via and (via.provider, via.activity_type) in COUNTS_WITH_COMPLETION and self.result.get("completion") is True)

    def _failed_says_nothing(self) -> bool:
        return self.reading.verb == "failed" and not self.rules.failed_is_outcome and not self.rules.withdraw_on_failed

    def status(self) -> tuple[str, str]:
        """The status of the evidence, or the outcome that is held; and the rule that says so."""
        reading = self.reading
        if reading.kind == "revoke":
            return "withdrawn", "14"
        if reading.verb == "scored":
            return "scored", "12"
        if reading.verb == "attempted":
            return _by_success(self.value), "9"
        if reading.verb == "failed" and not self.rules.failed_is_outcome:
            return "withdrawn", "13a"
        if not self.roles:
            return "none", "1"
        if reading.outcome not in SENT:
            return reading.outcome if reading.outcome in HELD else "none", "7" if reading.verb == "session" else "8"
        if reading.verb == "satisfied":
            return "satisfied", "6"
        return reading.outcome, {"session": "7a", "waived": "6"}.get(reading.verb, "8")

    def passes_cmi5(self) -> bool:
        """Whether it is the `passed` that makes the LMS's `satisfied` of the same registration a pass (rule 6)."""
        return self.cmi5 and self.reading.verb == "passed" and self.reading.outcome == "passed" and bool(_registration(self.context))

    def speaking_roles(self, status: str) -> list[Role]:
        """The roles of the object in which this statement is evidence."""
        return [role for role in self.roles if not self._speechless(role, status)]

    def _speechless(self, role: Role, status: str) -> bool:
        verb = self.reading.verb
        return any(
            (
                status == "none",
                status == "scored" and role.part == "all_of",
                verb == "satisfied" and bool(role.part),
                # In cmi5 an AU may carry a course type; only the LMS's verdict makes an uncatalogued object the course.
                self.cmi5 and role.by_type and verb not in ("satisfied", "scored"),
                # On a SCO these verbs are journal entries; its `terminated` has the outcome (rule 7).
                self.scorm and bool(role.part) and verb in ("completed", "passed", "failed", "scored"),
                status == "withdrawn" and verb == "failed" and bool(role.part),
            )
        )

    def no_course(self) -> tuple[str, str]:
        """Why none of the object's roles, if it has any, let it count."""
        if self.roles and self.scorm:
            return "7", "On a SCO this is a journal entry; its `terminated` has the outcome"
        if self.roles and self.cmi5:
            return "6", "An AU is not the course; the LMS's verdict is `satisfied` on the course"
        if self.roles:
            return "5", "It speaks of a part of a course, not of the course"
        kind = str(mapping(self.object.get("definition")).get("type", ""))
        if kind.rstrip("/").endswith("/objective"):
            return "4", "An objective is not the course, even if its id begins with the course's id"
        return "1", "Its object is not a course: neither the catalogue nor its activity type says so"


def _evidence(
    statement: Mapping[str, object], reading: Reading, seq: int, at: int, status: str, provider: str, source: str, voided: bool
) -> Evidence:
    score = reading.score
    found = mapping(statement).get("id")
    return Evidence(
        seq=seq,
        statement_id=found.lower() if isinstance(found, str) else "",
        at=at,
        status=status,
        provider=provider,
        source=source,
        registration=_registration(mapping(mapping(statement).get("context"))),
        score_scaled=_finite(score.scaled) if score else None,
        score_raw=_finite(score.raw) if score else None,
        duration=_finite(reading.duration),
        map_version=reading.map_version,
        voided=voided,
    )


def _at(statement: Mapping[str, object], stored_us: int, now_us: int) -> tuple[int, tuple[str, ...]]:
    """When it happened, in µs (rule 15). A time ahead of its arrival is clamped to it: measured by `stored`, so that
    reading history again, later, gives the same answer."""
    text = mapping(statement).get("timestamp")
    read = instant(text) if isinstance(text, str) else None
    arrived = min(stored_us, now_us)
    if read is None:
        return stored_us, ()
    if read.micros > arrived + CLOCK_TOLERANCE_US:
        return arrived, ("clock_ahead",)
    return max(read.micros, EARLIEST_US), ()


def _by_success(value: Mapping[object, object]) -> str:
    success = mapping(value.get("result")).get("success")
    return "passed" if success is True else "completed_failed" if success is False else "completed"


def _counts(status: str, courses: list[str], rule: str) -> str:
    named = ", ".join(courses)
    words = {
        "withdrawn": f"Takes back what rested on its object in {named}",
        "scored": f"Updates the score on record for {named} and sends nothing",
        "satisfied": f"The LMS says that {named} is satisfied",
    }
    return f"{words.get(status, f'Counts as {status} for {named}')} (rule {rule})."


def _sentence(why: str, rule: str) -> str:
    return f"{why[0].upper()}{why[1:]} (rule {rule})."


def _registration(context: Mapping[object, object]) -> str:
    found = context.get("registration")
    return found.lower() if isinstance(found, str) else ""


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _listed(value: object) -> list[Mapping[object, object]]:
    if value is None:
        return []
    found = value if isinstance(value, list | tuple) else [value]
    return [item for item in found if type(item) is dict or isinstance(item, Mapping)]
