"""The course catalogue: which object is which course, and what each provider's rules are."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lrs.completions.model import Course


@dataclass(frozen=True, slots=True)
class ProviderRules:
    """What is special about a provider's statements (every default is the standard's meaning)."""

    provider: str = ""
    score_min: str = "lowest"
    attempted_completes: bool = False
    not_cmi5: bool = False
    withdraw_on_failed: bool = False
    failed_is_outcome: bool = True
    opt_in: frozenset[str] = frozenset()
    course_types: frozenset[str] = frozenset()


class Catalogue:
    """Courses by id and alias, and the rules of providers. Immutable."""

    def __init__(self, courses: Iterable[Course] = (), rules: Mapping[str, ProviderRules] | None = None) -> None:
        self.courses = tuple(courses)

    def course(self, key: str) -> Course:
        """The course with this id (after aliases); one with all defaults where the catalogue has none."""
        raise NotImplementedError

    def canonical(self, activity_id: str) -> str:
        """The id that stands for this activity: aliases folded, Open edX's spellings too (rule 1a)."""
        raise NotImplementedError

    def rules(self, provider: str) -> ProviderRules:
        """The rules of this provider."""
        raise NotImplementedError
