"""Turns a statement into index terms, and a set of filters into the terms that a matching statement must have."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from lrs.statements.actors import ACTORS, identifiers

Facts = dict[str, str]

# A pair joins a fact with one that a statement has at most once, so that terms stay linear in the statement.
# The order is the one in which filters are paired up: so two pairs cover any three or four of them.
PAIRS: tuple[tuple[str, str], ...] = (
    ("agent", "activity"),
    ("verb", "registration"),
    ("agent", "verb"),
    ("agent", "registration"),
    ("verb", "activity"),
)
AROUND = (("contextAgents", "agent"), ("contextGroups", "group"))
"""Where xAPI 2.0 names further Agents and Groups, and under which key (4.2.2.5)."""
_AGENT_PAIRS = tuple((f"agent+{second}", second) for first, second in PAIRS if first == "agent")
_OTHER_PAIRS = tuple((f"{first}+{second}", first, second) for first, second in PAIRS if first != "agent")
CONTEXT_ACTIVITIES = ("parent", "grouping", "category", "other")


class Terms:
    """Signed 64-bit hashes under the store's key: what an index row holds instead of a person's address."""

    def __init__(self, key: bytes) -> None:
        """`key`: 1 to 64 bytes, `Statements.term_key` of the store. Terms of two keys never meet."""
        self._key = key
        self.term = lru_cache(maxsize=65_536)(self._hash)

    def _hash(self, kind: str, value: str, other: str | None = None) -> int:
        # The length of the first value keeps ("ab", "c") and ("a", "bc") apart.
        text = f"{kind} {value}" if other is None else f"{kind} {len(value)} {value} {other}"
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=self._key).digest()
        return int.from_bytes(digest, "big", signed=True)

    def of_statement(
        self, statement: Mapping[str, Any], *, authority: Mapping[str, Any], credential_id: str
    ) -> tuple[int, ...]:
        """Every term of a valid statement, each once. `authority` is the one that we put into its envelope."""
        # plain loops, and every hash from the memo: this runs for each statement that comes in
        term = self.term
        single = dict(_single(statement))
        found = [term("credential", credential_id)]
        for kind, value in single.items():
            found.append(term(kind, value))
        for agent in dict.fromkeys(_agents(statement)):
            found.append(term("agent", agent))
            for pair, kind in _AGENT_PAIRS:
                if kind in single:
                    found.append(term(pair, agent, single[kind]))
        for pair, first, second in _OTHER_PAIRS:
            if first in single and second in single:
                found.append(term(pair, single[first], single[second]))
        for name in _related_agents(statement, authority):
            found.append(term("related_agent", name))
        for name in _related_activities(statement):
            found.append(term("related_activity", name))
        return tuple(dict.fromkeys(found))

    def of_filters(self, facts: Mapping[str, str]) -> tuple[int, ...]:
        """The fewest terms that together say the same as these facts (kind → value): pairs replace single ones.

        Kinds: agent, related_agent, verb, activity, related_activity, registration, credential.
        """
        open_kinds = set(facts)
        chosen: list[int] = []
        paired: set[str] = set()
        for fresh in (2, 1):  # first the pairs that cover two facts, then those that cover a left-over one
            for first, second in PAIRS:
                if first in facts and second in facts and len({first, second} - paired) == fresh:
                    chosen.append(self.term(f"{first}+{second}", facts[first], facts[second]))
                    paired |= {first, second}
        chosen += (self.term(kind, facts[kind]) for kind in sorted(open_kinds - paired))
        return tuple(chosen)


def _single(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "verb", statement["verb"]["id"]
    target = statement["object"]
    if target.get("objectType", "Activity") == "Activity":
        yield "activity", target["id"]
    registration = statement.get("context", {}).get("registration")
    if registration is not None:
        yield "registration", registration.lower()


def _agents(statement: Mapping[str, Any]) -> list[str]:
    target = statement["object"]
    found = identifiers(statement["actor"])
    return found + identifiers(target) if target.get("objectType") in ACTORS else found


def _related_agents(statement: Mapping[str, Any], authority: Mapping[str, Any]) -> Iterable[str]:
    """xAPI 1.0.3 Communication 2.1.3, `related_agents`: actor, object, authority, instructor, team, in 2.0 also
    contextAgents and contextGroups, and those of a SubStatement."""
    found: list[str] = []
    for part in _parts(statement):
        found += _agents(part)
        context = part.get("context", {})
        for role in ("instructor", "team"):
            if role in context:
                found += identifiers(context[role])
        for role, key in AROUND:
            for entry in context.get(role, ()):
                found += identifiers(entry[key])
    return dict.fromkeys(found + identifiers(authority))


def _related_activities(statement: Mapping[str, Any]) -> Iterable[str]:
    """xAPI 1.0.3 Communication 2.1.3, `related_activities`: object, context activities, and those of a SubStatement."""
    found: list[str] = []
    for part in _parts(statement):
        target, context = part["object"], part.get("context", {})
        if target.get("objectType", "Activity") == "Activity":
            found.append(target["id"])
        activities = context.get("contextActivities", {})
        for role in CONTEXT_ACTIVITIES if activities else ():
            listed = activities.get(role, ())
            found += [activity["id"] for activity in ((listed,) if isinstance(listed, dict) else listed)]
    return dict.fromkeys(found)


def _parts(statement: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The statement, and its SubStatement if it has one (which has none itself)."""
    target = statement["object"]
    return (statement, target) if target.get("objectType") == "SubStatement" else (statement,)


@lru_cache(maxsize=16)
def terms_of(key: bytes) -> Terms:
    """The one `Terms` of a store's key, so that its memo outlives a request."""
    return Terms(key)
