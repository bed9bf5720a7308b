"""The course catalogue: which object is which course, or part of which, and what each provider's rules are."""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import unquote

from lrs.completions.model import CREDENTIAL, Course
from lrs.completions.providers import PROVIDER_RULES, ProviderRules
from lrs.memo import Memo
from verbs.read import mapping
from verbs.tables import load

__all__ = ["COURSE_TYPES", "NEVER_COURSE_TYPES", "Catalogue", "ProviderRules", "Role", "activities_of",
           "former_keys", "is_never_course", "product_alias", "spellings", "types_of"]

COURSE_TYPES: Mapping[str, Mapping[str, str]] = {
    "http://adlnet.gov/expapi/activities/course": {},
    "https://w3id.org/xapi/cmi5/activitytype/course": {},
    "http://vocab.xapi.fr/activities/course": {},
    "https://w3id.org/xapi/tla/activity-types/content_set": {"https://w3id.org/xapi/vle/extensions/component": "course"},
    "http://id.tincanapi.com/activitytype/lms/course": {},
    "http://lrs.learninglocker.net/define/type/moodle/course": {},
    "https://w3id.org/xapi/cmi5/activities/course": {},
}
"""Activity types that make an uncatalogued object a course (rule 1), with the definition extensions they must carry."""

NEVER_COURSE_TYPES = frozenset(
    {f"http://adlnet.gov/expapi/activities/{name}"
     for name in ("cmi.interaction", "question", "objective", "module", "lesson", "page", "media", "attempt", "interaction")}
    | {"http://activitystrea.ms/page", "http://activitystrea.ms/question", "https://w3id.org/xapi/acrossx/activities/page"}
)  # fmt: skip
"""Folded activity types that never qualify by themselves, not even with a catalogued id (rule 1)."""

# Moodle's IMS content package carries the cmi5 course type, though it is a module (rule 1).
_NOT_A_COURSE_ID = re.compile(r"/mod/imscp/view\.php\?(?:[^#]*&)?id=\d+")
# No repeat rule applies to a badge or certificate: one achievement a learner, however late it is awarded again.
_FOR_EVER_DAYS = 1_000_000
# The ways in which Open edX writes one course (rule 1a): whole ids, so that no part of a course is taken for it.
_OPENEDX = (
    re.compile(r"(?P<root>https?://[^?#]+?)/courses?/course-v1:(?P<key>[^/?#]+)/?"),
    re.compile(r"(?P<root>https?://[^?#]+?)/xblock/block-v1:(?P<key>[^/?#@]+)\+type@course\+block@course/?"),
)
_OPENEDX_SPELLINGS = ("course/course-v1:{}", "courses/course-v1:{}", "xblock/block-v1:{}+type@course+block@course")


@dataclass(frozen=True, slots=True)
class Role:
    """What an object is to a course. `part`: "" the course itself, `single_au` or `all_of` (rule 5), `session`: a live
    session that the catalogue ties to it (rule 19). `by_type`: known as a course by its activity type only."""

    course: str
    activity: str
    part: str = ""
    by_type: bool = False


class Catalogue:
    """Courses by id and alias, their parts, and the providers' rules. Immutable; safe to share between threads."""

    def __init__(self, courses: Iterable[Course] = (), rules: Iterable[ProviderRules] = ()) -> None:
        self._courses: dict[str, Course] = {}
        self._stands_for: dict[str, str] = {}
        for course in courses:
            self._courses.setdefault(course.id, course)
        for course in self._courses.values():
            for name in (course.id, *course.aliases):
                self._stands_for.setdefault(name, course.id)
        for name, course_id in list(self._stands_for.items()):
            self._stands_for.setdefault(product_alias(name), course_id)
        for course in list(self._courses.values()):
            parts = tuple(dict.fromkeys(map(self.canonical, course.all_of)))
            au = self.canonical(course.single_au) if course.single_au else ""
            if (au, parts) != (course.single_au, course.all_of):
                self._courses[course.id] = replace(course, single_au=au, all_of=parts)
        self._parts: dict[str, list[Role]] = {}
        for course in self._courses.values():
            named = ((course.single_au,) if course.single_au else (), course.all_of)
            for kind, activities in zip(("single_au", "all_of"), named, strict=True):
                for activity in activities:
                    self._parts.setdefault(activity, []).append(Role(course.id, activity, kind))
        self._sessions: dict[str, list[str]] = {}
        for course in self._courses.values():
            for name in dict.fromkeys(n for given in course.sessions for n in (self.canonical(given), _TYPES[given])):
                self._sessions.setdefault(name, []).append(course.id)
        self._rules = {**PROVIDER_RULES, **{r.provider: r for r in rules}}

    @property
    def courses(self) -> tuple[Course, ...]:
        """Every catalogued course, in the order given; the ids of their parts are canonical."""
        return tuple(self._courses.values())

    def course(self, key: str) -> Course:
        """The course with this id or alias; one with all defaults where the catalogue has none. For the key of a
        credential (rule 20) one whose window never ends."""
        if key.startswith(CREDENTIAL):
            return Course(key, repeat_after_days=_FOR_EVER_DAYS)
        course_id = self.canonical(key)
        return self._courses.get(course_id) or Course(course_id)

    def rules(self, provider: str) -> ProviderRules:
        """The provider's rules; the standard's meaning where it has none of its own."""
        return self._rules.get(provider) or _standard(provider)

    def canonical(self, activity_id: str) -> str:
        """The id that stands for this activity: aliases folded, those of the product too (rule 1a)."""
        if activity_id in self._stands_for:
            return self._stands_for[activity_id]
        folded = product_alias(activity_id)
        return self._stands_for.get(folded, folded)

    def roles(self, activity: Mapping[object, object], parents: Iterable[Mapping[object, object]], rules: ProviderRules) -> list[Role]:
        """What this activity is: a course (rules 1, 2), a part of courses (rule 5), or neither (empty).

        `parents` are the activities of context.contextActivities.parent; its own id among them says nothing (rule 2).
        """
        activity_id = activity.get("id")
        if not isinstance(activity_id, str) or not activity_id:
            return []
        name = self.canonical(activity_id)
        roles = list(self._parts.get(name, ()))
        if _type(activity) in NEVER_COURSE_TYPES:
            return roles
        if name in self._courses:
            return [Role(name, name), *(r for r in roles if r.course != name)]
        if self._is_typed_course(activity, rules) and not self._has_course_above(name, parents, rules):
            return [Role(name, name, by_type=True), *roles]
        return roles

    def ties(self, activity: Mapping[object, object], above: Iterable[Mapping[object, object]], series: bool = False) -> list[Role]:
        """The courses that attending this activity completes, or helps to complete (rule 19): those whose `sessions`
        name its id, its type, or one of the activities `above` it (parent, grouping), and those whose all-of rule
        names its id. An activity above it that merely is a course, or a part of one, is no tie; where it is the
        `series` of a live session, an all-of rule may name it too.

        A session that a course names both as a part and as its session counts as the part: the stricter of the two.
        """
        activity_id = activity.get("id")
        if not isinstance(activity_id, str) or not activity_id:
            return []
        name = self.canonical(activity_id)
        over = [self.canonical(found) for found in (a.get("id") for a in above) if isinstance(found, str) and found]
        roles: dict[str, Role] = {}
        for part in (name, *(over if series else ())):
            for role in self._parts.get(part, ()):
                if role.part == "all_of":
                    roles.setdefault(role.course, role)
        for tie in dict.fromkeys((name, *over, _type(activity))):
            for course in self._sessions.get(tie, ()) if tie else ():
                roles.setdefault(course, Role(course, name, "session"))
        return list(roles.values())

    def _is_typed_course(self, activity: Mapping[object, object], rules: ProviderRules) -> bool:
        if _NOT_A_COURSE_ID.search(str(activity.get("id"))):
            return False
        kind = _type(activity)
        if kind in rules.course_types:
            return True
        if kind not in COURSE_TYPES:
            return False
        extensions = mapping(mapping(activity.get("definition")).get("extensions"))
        return all(extensions.get(k) == v for k, v in COURSE_TYPES[kind].items())

    def _has_course_above(self, name: str, parents: Iterable[Mapping[object, object]], rules: ProviderRules) -> bool:
        for parent in parents:
            above = parent.get("id")
            if not isinstance(above, str) or self.canonical(above) == name:
                continue
            if self.canonical(above) in self._courses or self._is_typed_course(parent, rules):
                return True
        return False


_standard = lru_cache(maxsize=256)(ProviderRules)


def product_alias(activity_id: str) -> str:
    """The one spelling of an Open edX course id, from any of the three that its tools write; else the id as it is."""
    return _ALIASES[activity_id]


def _product_alias(activity_id: str) -> str:
    text = unquote(activity_id) if "%" in activity_id else activity_id
    for pattern in _OPENEDX:
        found = pattern.fullmatch(text)
        if found:
            return f"{found['root']}/course/course-v1:{found['key']}"
    return activity_id


def spellings(activity_id: str) -> frozenset[str]:
    """Every id under which senders may write this activity: itself, and for an Open edX course all three (rule 1a)."""
    return _SPELLINGS[activity_id]


def _spellings(activity_id: str) -> frozenset[str]:
    text = unquote(activity_id) if "%" in activity_id else activity_id
    found = next((m for pattern in _OPENEDX if (m := pattern.fullmatch(text))), None)
    if found is None:
        return frozenset({activity_id})
    return frozenset({activity_id, *(f"{found['root']}/{form.format(found['key'])}" for form in _OPENEDX_SPELLINGS)})


_ALIASES = Memo(_product_alias, 16_384)
_SPELLINGS = Memo(_spellings, 2_048)


def activities_of(course: Course) -> frozenset[str]:
    """The id of every activity whose statements must be read again when this course changes: its own and its
    aliases', those of its parts and of its sessions. For sessions and all-of parts also the statements that name them
    as parent or grouping count. Which of `sessions` are activity types cannot be told from an id: see `types_of`."""
    named = (course.id, *course.aliases, course.single_au, *course.all_of, *course.sessions)
    return frozenset(name for given in named if given for name in spellings(given))


def types_of(course: Course) -> frozenset[str]:
    """The activity types, folded as for the look-up, whose `attended` statements must be read again when this course
    changes: each of `sessions` may be one."""
    return frozenset(_TYPES[given] for given in course.sessions)


def former_keys(course: Course) -> frozenset[str]:
    """The keys under which states of this course may stand from before its aliases were catalogued: to be merged
    into it (`lrs.completions.rebind.merge_states`)."""
    names = (course.id, *course.aliases)
    return frozenset(key for name in names for key in (*spellings(name), product_alias(name))) - {course.id}


def is_never_course(activity: Mapping[object, object]) -> bool:
    """Whether its activity type keeps it from ever being a course by itself (rule 1)."""
    return _type(activity) in NEVER_COURSE_TYPES


def _type(activity: Mapping[object, object]) -> str:
    kind = mapping(activity.get("definition")).get("type")
    return _TYPES[kind] if isinstance(kind, str) else ""


_TYPES = Memo[str, str](lambda kind: load().fold(kind, verb=False), 4_096)
