"""How long each person was in a live session: the union of the intervals of all devices, from who was seen to join and leave."""
from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lrs.completions.subjects import identifier
from lrs.statements.instants import instant

NOT_YET_US = 86_400 * 1_000_000
"""Some vendors write 1970 for a time that is not known yet."""

Lookup = Callable[[Collection[str]], Mapping[str, str]]
"""Those of the identifiers (normal forms of `lrs.completions.subjects`) that the directory has, each with its person's key."""
Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody was seen to join (`joined`) or to leave, at a time in µs since 1970 UTC.

    `actor` is who that is said to be; `agents` everybody whom the identifiers that came with it can stand for, the
    strongest first. `links` are texts that tell one participant of this session from another ("user_id:7"): two that
    share one, or an identifier, or a person of the directory, are the same person. `device` tells two connections of a
    person apart ('' unknown). `report`: it is from the vendor's report, which knows better than live events.
    """

    at: int
    joined: bool
    actor: Mapping[str, Any]
    agents: tuple[Mapping[str, Any], ...] = ()
    links: tuple[str, ...] = ()
    device: str = ""
    report: bool = False


@dataclass(frozen=True, slots=True)
class Presence:
    """A person's time in a session: `micros` the union of the intervals in µs, `first` the first join.

    `actor` names the person: by an identifier that the directory knows (then `person` is its key there), else by
    e-mail address, else as joined. `forms` are all identifiers. `open`: somebody without a leave, and the end of the
    session is not known: nothing may be judged yet. `report`: the vendor's report tells of this person. `flags`, in
    alphabetical order: `leave_without_join` (counted nothing), `negative` (counted 0 s), `no_leave` (counted to the end
    of the session), `several_people` (the identifiers belong to more than one person of the directory).
    """

    actor: Mapping[str, Any]
    first: int
    micros: int
    forms: frozenset[str]
    person: str = ""
    open: bool = False
    report: bool = False
    flags: tuple[str, ...] = ()


def moment(text: object) -> int | None:
    """µs since 1970 UTC of an ISO 8601 time with any number of fractional digits; None for none, and for 1970."""
    found = instant(text) if isinstance(text, str) else None
    return found.micros if found is not None and found.micros >= NOT_YET_US else None


def union(intervals: Iterable[Interval]) -> int:
    """The length of the union of intervals; one that ends before it starts has none."""
    total, reached = 0, None
    for start, end in sorted(intervals):
        if end <= start:
            continue
        if reached is None or start > reached:
            total, reached = total + end - start, end
        elif end > reached:
            total, reached = total + end - reached, end
    return total


def presences(seen: Iterable[Seen], end: int | None, lookup: Lookup) -> list[Presence]:
    """Everybody who joined, by first join. `end` is the end of the session in µs, None while it is not known.

    The order of `seen` and repetitions in it change nothing.
    """
    once = {_key(one): one for one in seen}
    ordered = [once[key] for key in sorted(once)]
    forms = [_forms(one) for one in ordered]
    people = lookup({form for each in forms for form in each})
    found = [_presence([ordered[i] for i in group], end, people) for group in _grouped(ordered, forms, people)]
    return sorted((one for one in found if one is not None), key=lambda one: (one.first, _text(one.actor)))


def measured(scheduled: float | None, actual: float | None, of: str = "scheduled") -> tuple[float | None, str]:
    """What presence is measured against, in seconds, and its name (`scheduled` | `actual`); (None, '') where neither
    length is known. A length of 0 is an unknown one. `of` says which is preferred."""
    lengths = {"scheduled": scheduled or None, "actual": actual or None}
    order = ("actual", "scheduled") if of == "actual" else ("scheduled", "actual")
    return next(((lengths[name], name) for name in order if lengths[name]), (None, ""))


def met(micros: int, length: float | None, percent: float) -> bool | None:
    """Whether a presence of so many µs is at least `percent` of a length in seconds; None where there is no length."""
    return None if length is None else micros * 100 >= percent * length * 1_000_000


def duration(micros: int) -> str:
    """µs as an ISO 8601 duration in seconds, to a hundredth."""
    seconds, rest = divmod(micros // 10_000, 100)
    return f"PT{seconds}S" if not rest else f"PT{seconds}.{rest:02d}".rstrip("0") + "S"


def _presence(seen: Sequence[Seen], end: int | None, people: Mapping[str, str]) -> Presence | None:
    joins = [one for one in seen if one.joined]
    if not joins:
        return None
    closed: dict[bool, list[Interval]] = {True: [], False: []}
    waiting: dict[bool, list[int]] = {True: [], False: []}
    flags: set[str] = set()
    for report, device in sorted({(one.report, one.device) for one in seen}):
        part = [one for one in seen if (one.report, one.device) == (report, device)]
        pairs, open_, wrong = _paired({s.at for s in part if s.joined}, {s.at for s in part if not s.joined})
        closed[report] += pairs
        waiting[report] += open_
        flags |= wrong
    if closed[True]:
        # the report has every connection: a live join without its leave adds nothing to it
        waiting[False] = []
        flags.discard("leave_without_join")
    pending = waiting[True] + waiting[False]
    if pending and end is not None:
        flags |= {"no_leave"} | ({"negative"} if any(start > end for start in pending) else set())
    still = [(start, max(start, end)) for start in pending] if end is not None else []
    actor, person, several = _named(seen, people)
    return Presence(
        actor, min(one.at for one in joins), union([*closed[True], *closed[False], *still]),
        frozenset(form for one in seen for form in _forms(one)), person, open=bool(pending) and end is None,
        report=any(one.report for one in seen), flags=tuple(sorted(flags | ({"several_people"} if several else set()))))


def _paired(joins: set[int], leaves: set[int]) -> tuple[list[Interval], list[int], set[str]]:
    """The intervals of one device, joins without a leave, and what was wrong.

    As many leaves as joins belong together in their order. Else something is missing: a join while joined says
    nothing new, and a leave of somebody who is not there counts nothing.
    """
    pairs = list(zip(sorted(joins), sorted(leaves), strict=False))
    if len(joins) == len(leaves) and (len(pairs) == 1 or all(start <= end for start, end in pairs)):
        negative = any(end < start for start, end in pairs)
        return [(start, max(start, end)) for start, end in pairs], [], {"negative"} if negative else set()
    found: list[Interval] = []
    flags: set[str] = set()
    since: int | None = None
    for at, leaving in sorted([(at, False) for at in joins] + [(at, True) for at in leaves]):
        if not leaving:
            since = at if since is None else since
        elif since is None:
            flags.add("leave_without_join")
        else:
            found.append((since, at))
            since = None
    return found, [] if since is None else [since], flags


def _grouped(seen: Sequence[Seen], forms: Sequence[Sequence[str]], people: Mapping[str, str]) -> list[list[int]]:
    """The indices of what is said of the same person."""
    parent = list(range(len(seen)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[str, str], int] = {}
    for i, one in enumerate(seen):
        signs = [("form", form) for form in forms[i]] + [("link", link) for link in one.links]
        signs += [("person", people[form]) for form in forms[i] if form in people]
        for sign in signs:
            parent[root(i)] = root(first.setdefault(sign, i))
    groups: dict[int, list[int]] = {}
    for i in range(len(seen)):
        groups.setdefault(root(i), []).append(i)
    return list(groups.values())


def _named(seen: Sequence[Seen], people: Mapping[str, str]) -> tuple[Mapping[str, Any], str, bool]:
    """Who it is, the key in the directory, and whether there would be several."""
    ranked = [((rank, one.at, _text(agent)), agent) for one in seen for rank, agent in enumerate(one.agents or (one.actor,))]
    agents = [agent for _, agent in sorted(ranked, key=lambda pair: pair[0])]
    keys = [(agent, people[form]) for agent in agents for form in identifier(agent) if form in people]
    if keys:
        return keys[0][0], keys[0][1], len({person for _, person in keys}) > 1
    addressed = next((agent for agent in agents if "mbox" in agent), None)
    return addressed or min((one for one in seen if one.joined), key=lambda one: (one.at, _text(one.actor))).actor, "", False


def _forms(one: Seen) -> list[str]:
    return list(dict.fromkeys(form for agent in (one.actor, *one.agents) for form in identifier(agent)))


def _key(one: Seen) -> tuple[Any, ...]:
    return one.at, one.joined, one.report, one.device, one.links, _text(one.actor), tuple(map(_text, one.agents))


def _text(agent: Mapping[str, Any]) -> str:
    return json.dumps(agent, sort_keys=True, default=str)
