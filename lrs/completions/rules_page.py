"""The page of the completion rules, printed from the tables that the product itself reads."""
from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from lrs.completions.catalogue import COURSE_TYPES, NEVER_COURSE_TYPES
from lrs.completions.model import ATTENDANCE_PERCENT
from lrs.completions.outcome import RANK
from lrs.completions.providers import ProviderRules, to_json
from verbs.tables import load

_INTRO = """# Completion rules

When does a statement become a business event? These rules decide, after the verb map has read its verb. This page is
printed by `lrs verbs rules` from the tables that the product itself reads; every example is a test.
`lrs verbs explain FILE` says which rule decided about a statement of yours.

| Event | When |
|---|---|
| `learning.completed` | somebody's first outcome in a course, and the first after a revoke |
| `learning.updated` | a higher status or a better score of the same achievement |
| `learning.revoked` | nothing supports the completion any more |
| `credential.awarded`, `credential.revoked` | a badge or certificate, where credentials are switched on |
"""


@cache
def tables() -> dict[str, Any]:
    """The examples, meeting points and settings of `verbs/data/rules.toml`; read once a process."""
    return tomllib.loads((files("verbs") / "data" / "rules.toml").read_text(encoding="utf-8"))


def markdown() -> str:
    """The whole page: every rule with its number, its sentence and its examples. Ends with a line break."""
    told = tables()
    statuses = [s for s in sorted(RANK, key=lambda s: RANK[s]) if s not in ("attended", "awarded")]
    parts = [_INTRO, f"Statuses of a course, lowest first: {', '.join(f'`{s}`' for s in statuses)} (the last two side by side).\n"]
    for number, sentence in load().rules.items():
        examples = "".join(f"* {one['says']}\n" for one in told["example"] if one["rule"] == number)
        parts.append(f"## Rule {number}\n\n{sentence}\n\n{examples}")
    parts.append("## Where rules meet\n\n" + "".join(f"* {one['says']}\n" for one in told["meeting"]))
    parts.append(_course_types())
    parts.append(_sessions())
    parts.append(_credentials())
    parts.append(_providers(told["setting"]))
    return "\n".join(parts)


def _course_types() -> str:
    lines = []
    for kind, needed in COURSE_TYPES.items():
        only = "".join(f", only with the definition extension `{name}` = \"{value}\"" for name, value in needed.items())
        lines.append(f"* `{kind}`{only}\n")
    never = "".join(f"* `{kind}`\n" for kind in sorted(NEVER_COURSE_TYPES))
    return ("## Activity types\n\nCourses without being in the catalogue (rule 1):\n\n" + "".join(lines)
            + "\nNever a course, not even with a catalogued id:\n\n" + never)


def _sessions() -> str:
    return f"""## Live sessions and courses

The catalogue ties sessions to a course in the column `sessions`: ids of a session or of its series, or activity types,
separated by `;` or spaces. A tie is found in the id or the type of what was attended, and in the ids that the statement
names as its parent or grouping; a parent that is a course is no tie. The part of a list (`all_of`) may be a session too.

Presence is enough where the result says completion=true, or where its duration reaches the threshold of the session's
length: the scheduled length, or the actual one where none was scheduled. The threshold is the course's
`attendance_percent`; where the course has none, the verdict of the connection that the session came from, whose own
default is {ATTENDANCE_PERCENT}. A course's own threshold decides over the connection's verdict wherever presence was
measured. A duration without a length completes nothing: it may be the time that was booked. Joining, leaving and hosting
are no attendance. A presence that is too short stays on record as `attended`. A new tie, or another threshold, reads
history again and releases what was never sent; what was sent is not taken back.
"""


def _credentials() -> str:
    return """## Credentials

A badge or certificate is one achievement a learner and credential, without a window: awarded again it folds, awarded
again after a revoke it is `credential.awarded` with the next revision. The event has the shape of every other event:
`course.id` is null, `credential.id` names the badge or certificate (no other event has this field), and the status is
`awarded`. Credentials are off until the provider's `opt_in` names `mastered`, or the verb's IRI.
"""


def _providers(settings: list[dict[str, str]]) -> str:
    defaults = to_json(ProviderRules())
    rows = "".join(f"| `{one['name']}` | {_default(defaults[one['name']])} | {one['says']} |\n" for one in settings)
    return f"## Rules of a provider\n\n| Field | Default | Meaning |\n|---|---|---|\n{rows}"


def _default(value: object) -> str:
    return "none" if value in ("", []) else f"`{str(value).lower()}`"
