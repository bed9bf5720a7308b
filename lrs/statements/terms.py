"""Turns a statement into index terms, and a set of filters into the terms that a matching statement must have."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from struct import Struct
from typing import Any

from lrs.memo import Memo
from lrs.statements.actors import ACTORS, identifiers
from lrs.statements.members import members
from lrs.statements.seen import Seen

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
_NUMBER = Struct(">q")
CONTEXT_ACTIVITIES = ("parent", "grouping", "category", "other")


@dataclass(frozen=True, slots=True)
class _Part:
    """What a statement's actor or object contributes: who a filter finds there, which activity it is, and its own terms."""

    agents: tuple[str, ...] = ()
    activity: str | None = None
    terms: tuple[int, ...] = ()


class Terms:
    """Signed 64-bit hashes under the store's key: what an index row holds instead of a person's address."""

    def __init__(self, key: bytes) -> None:
        """`key`: 1 to 64 bytes, `Statements.term_key` of the store. Terms of two keys never meet."""
        self._keyed = blake2b(digest_size=8, key=key)
        self._terms = Memo(self._hash, 8_192)
        self._parts: dict[str, Seen[_Part]] = {"actor": Seen(), "object": Seen()}
        self._contexts: Seen[tuple[int, ...]] = Seen()

    def term(self, kind: str, *values: str) -> int:
        """The term of a fact (its kind, its value) or of a pair (the kinds in one word, both values)."""
        return self._terms[kind, *values]

    def _hash(self, fact: tuple[str, ...]) -> int:
        # The length of the first value keeps ("ab", "c") and ("a", "bc") apart.
        text = " ".join(fact) if len(fact) == 2 else f"{fact[0]} {len(fact[1])} {fact[1]} {fact[2]}"
        keyed = self._keyed.copy()
        keyed.update(text.encode("utf-8", "surrogatepass"))
        number: int = _NUMBER.unpack(keyed.digest())[0]
        return number

    def of_statement(
        self, statement: Mapping[str, Any], texts: Mapping[str, bytes] | None = None, *, authority: Mapping[str, Any], credential_id: str
    ) -> tuple[int, ...]:
        """Every term of a valid statement, each once. `texts` are its members as they were sent: what was hashed for the
        same text before is not hashed again. `authority` is the one that we put into its envelope."""
        term = self._terms
        actor = self._known("actor", statement, texts)
        target = self._known("object", statement, texts)
        agents = dict.fromkeys(actor.agents + target.agents)
        single = {"verb": statement["verb"]["id"], **({"activity": target.activity} if target.activity is not None else {})}
        context = statement.get("context")
        if context and "registration" in context:
            single["registration"] = context["registration"].lower()
        found = [term["credential", credential_id], *actor.terms, *target.terms]
        for kind, value in single.items():
            found.append(term[kind, value])
        for agent in agents:
            for pair, kind in _AGENT_PAIRS:
                if kind in single:
                    found.append(term[pair, agent, single[kind]])
        for pair, first, second in _OTHER_PAIRS:
            if first in single and second in single:
                found.append(term[pair, single[first], single[second]])
        if context:
            found += self._of_context(context, texts)
        for name in identifiers(authority):
            found.append(term["related_agent", name])
        return tuple(dict.fromkeys(found))

    def _known(self, key: str, statement: Mapping[str, Any], texts: Mapping[str, bytes] | None) -> _Part:
        """What the actor or the object contributes by itself."""
        text = texts.get(key) if texts else None
        part = self._parts[key].get(text) if text is not None else None
        if part is None:
            part = self._part(statement[key], key == "object")
            if text is not None:
                self._parts[key].put(text, part)
        return part

    def _part(self, value: Mapping[str, Any], is_object: bool) -> _Part:
        term, kind = self._terms, value.get("objectType", "Activity" if is_object else "Agent")
        if kind in ACTORS:
            agents = identifiers(value)
            return _Part(tuple(agents), None, tuple(term[of, name] for of in ("agent", "related_agent") for name in agents))
        if kind == "Activity":
            return _Part((), value["id"], (term["related_activity", value["id"]],))
        if kind == "SubStatement":
            return _Part((), None, tuple([term["related_agent", name] for name in _related_agents(value)]
                                         + [term["related_activity", name] for name in _related_activities(value)]))
        return _Part()

    def _of_context(self, context: Mapping[str, Any], texts: Mapping[str, bytes] | None) -> Iterable[int]:
        found = [self._terms["related_agent", name] for name in _agents_around(context)]
        activities = context.get("contextActivities")
        if not activities:
            return found
        text = members(texts["context"])["contextActivities"] if texts else None
        known = self._contexts.get(text) if text is not None else None
        if known is None:
            known = tuple(self._terms["related_activity", name] for name in _in_context(activities))
            if text is not None:
                self._contexts.put(text, known)
        return [*found, *known]

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


def _related_agents(part: Mapping[str, Any]) -> Iterable[str]:
    """xAPI 1.0.3 Communication 2.1.3, `related_agents`, of a SubStatement: its actor, object, instructor, team, in 2.0 also
    contextAgents and contextGroups."""
    target = part["object"]
    in_object = identifiers(target) if target.get("objectType") in ACTORS else []
    return dict.fromkeys(identifiers(part["actor"]) + in_object + _agents_around(part.get("context", {})))


def _related_activities(part: Mapping[str, Any]) -> Iterable[str]:
    """xAPI 1.0.3 Communication 2.1.3, `related_activities`, of a SubStatement: its object and its context activities."""
    target = part["object"]
    own = [target["id"]] if target.get("objectType", "Activity") == "Activity" else []
    return dict.fromkeys(own + _in_context(part.get("context", {}).get("contextActivities", {})))


def _agents_around(context: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for role in ("instructor", "team"):
        if role in context:
            found += identifiers(context[role])
    for role, key in AROUND:
        for entry in context.get(role, ()):
            found += identifiers(entry[key])
    return found


def _in_context(activities: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for role in CONTEXT_ACTIVITIES:
        listed = activities.get(role, ())
        found += [activity["id"] for activity in ((listed,) if isinstance(listed, dict) else listed)]
    return found


@lru_cache(maxsize=16)
def terms_of(key: bytes) -> Terms:
    """The one `Terms` of a store's key, so that its memo outlives a request."""
    return Terms(key)
