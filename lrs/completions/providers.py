"""What is special about each provider's statements: its rules, the ones that come with the product, and their JSON."""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from verbs.tables import CANONICAL

SCORE_MIN = ("lowest", "pass_mark")
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z")
_MEMBER_MAX = 2000


@dataclass(frozen=True, slots=True)
class ProviderRules:
    """What is special about a provider's statements; each default is the standard's meaning.

    `score_min`: `lowest` or `pass_mark` (rule 12a, applied by `verbs.read`). `attempted_completes`: rule 9.
    `not_cmi5`: its cmi5 marks are ignored (rule 6). `failed_is_outcome`: rule 13a. `withdraw_on_failed`: a later
    course-level `failed` takes back its own pass. `opt_in`: verb IRIs or canonical verbs switched on, `mastered` for
    every credential (rule 20). `course_types`: further activity types that are courses (rule 1c).
    """

    provider: str = ""
    score_min: str = "lowest"
    attempted_completes: bool = False
    not_cmi5: bool = False
    failed_is_outcome: bool = True
    withdraw_on_failed: bool = False
    opt_in: frozenset[str] = frozenset()
    course_types: frozenset[str] = frozenset()


PROVIDER_RULES: Mapping[str, ProviderRules] = {"openedx": ProviderRules("openedx", failed_is_outcome=False)}
"""The rules that come with the product; an installation's own replace them by provider."""


def to_json(rules: ProviderRules) -> dict[str, object]:
    """The rules as a JSON object, every field named, the sets as sorted lists; equal rules give equal objects."""
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(rules).items()}


def from_json(value: object) -> ProviderRules:
    """The rules in this JSON object: `provider` required, a field that is left out has its default.

    Raises ValueError that names the field and what it may hold.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"the rules of a provider are a JSON object with the fields {_names()}")
    unknown = sorted(str(name) for name in value if name not in _names().split(", "))
    if unknown:
        raise ValueError(f'unknown field "{unknown[0][:100]}"; known fields: {_names()}')
    provider = value.get("provider")
    if not isinstance(provider, str) or not provider.strip():
        raise ValueError('"provider" must be the name of a provider, as its credentials have it')
    score_min = value.get("score_min", "lowest")
    if score_min not in SCORE_MIN:
        raise ValueError(f'"score_min" must be one of {", ".join(SCORE_MIN)}, not {_shown(score_min)}')
    standard = ProviderRules()
    return ProviderRules(
        provider=provider,
        score_min=str(score_min),
        attempted_completes=_flag(value, "attempted_completes", standard.attempted_completes),
        not_cmi5=_flag(value, "not_cmi5", standard.not_cmi5),
        failed_is_outcome=_flag(value, "failed_is_outcome", standard.failed_is_outcome),
        withdraw_on_failed=_flag(value, "withdraw_on_failed", standard.withdraw_on_failed),
        opt_in=_set(value, "opt_in", "verb IRIs or canonical verbs", CANONICAL),
        course_types=_set(value, "course_types", "activity type IRIs"),
    )


def _names() -> str:
    return ", ".join(field.name for field in fields(ProviderRules))


def _flag(value: Mapping[object, object], name: str, otherwise: bool) -> bool:
    found = value.get(name, otherwise)
    if not isinstance(found, bool):
        raise ValueError(f'"{name}" must be true or false, not {_shown(found)}')
    return found


def _set(value: Mapping[object, object], name: str, what: str, words: Sequence[str] = ()) -> frozenset[str]:
    found = value.get(name, ())
    if not isinstance(found, list | tuple):
        raise ValueError(f'"{name}" must be a list of {what}, not {_shown(found)}')
    for item in found:
        if not isinstance(item, str) or len(item) > _MEMBER_MAX or not (_IRI.match(item) or item in words):
            known = f" (the canonical verbs: {', '.join(words)})" if words else ""
            raise ValueError(f'"{name}" must be a list of {what}; {_shown(item)} is none{known}')
    return frozenset(found)


def _shown(value: object) -> str:
    return repr(value)[:100]
