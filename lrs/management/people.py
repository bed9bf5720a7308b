"""The people of the directory as an administrator meets them: find, put, import, and who is waited for."""
from __future__ import annotations

import csv as files
import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lrs.completions.model import Person
from lrs.directory import csv
from lrs.directory.csv import Refused
from lrs.errors import Finding, Invalid, NotFound
from lrs.management.audit import audited
from lrs.store.open_store import Store

SLICE = 500
"""Rows a transaction: the write lock is held for milliseconds, so that statements go on arriving."""
HELD_MOST = 100_000
"""Waiting achievements that one look goes through."""
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: how many people it took (or would take), how many of them were new, and what it refused."""

    people: int
    new: int
    refused: tuple[Refused, ...]

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"people": self.people, "new": self.new, "refused": [asdict(one) for one in self.refused]}


def shown(one: Person) -> dict[str, Any]:
    """A person as plain data."""
    return {**asdict(one), "identifiers": list(one.identifiers)}


def listed(store: Store, *, after: str = "", limit: int = 100, q: str = "", identifier: str = "", email: str = "") -> list[dict[str, Any]]:
    """At most `limit` people by employee id, those with an id after `after`.

    `q`: a part of employee id, name, e-mail or department, whatever the case; `email`: an e-mail of theirs, also an alias;
    `identifier`: a normal form (`mbox:…`, `sha1:…`, `account:<homePage>|<name>`, `openid:…`), or mailto:…, as in an actor.
    """
    wanted = [identifier] if identifier.startswith(("mbox:", "sha1:", "account:", "openid:")) else _normal(identifier)
    wanted += [f"mbox:{email.strip().lower()}"] if email else []
    if wanted:
        found = store.directory.person_by_identifier(wanted)
        people = {one.employee_id: one for one in found.values()} if len(found) == len(set(wanted)) else {}
        return [shown(one) for one in people.values() if len(people) == 1 and one.employee_id > after and _has(one, q)][:limit]
    taken: list[dict[str, Any]] = []
    while len(taken) < limit and (part := store.directory.people(after, max(limit, 1000) if q else limit)):
        after = part[-1].employee_id
        taken += [shown(one) for one in part if _has(one, q)]
    return taken[:limit]


def person(store: Store, employee_id: str) -> Person:
    """The person with this employee id. Raises `NotFound`."""
    found = store.directory.person(employee_id)
    if found is None:
        raise NotFound(f'the directory has no person with the employee id "{employee_id}"')
    return found


def put(store: Store, given: Mapping[str, Any], *, who: str) -> tuple[Person, bool]:
    """Store or replace one person; True if the id was new. `given` has the columns of the CSV file, `aliases` and
    `identifiers` as lists. Raises `Invalid`, with the member where it is known."""
    cells = {name: ";".join(value) if isinstance(value, list) else str(value) for name, value in given.items()}
    for name, value in given.items():
        if any(csv.CONTROL.search(one) or "\n" in one for one in ([value] if isinstance(value, str) else value)):
            raise Invalid([Finding(f"/{name}", "there is a control character in it", "people.text", "")])
    text = io.StringIO()
    rows = files.writer(text)
    rows.writerow(cells)
    rows.writerow(cells.values())
    read, refused = csv.people(io.StringIO(text.getvalue()))
    if refused or not read:
        raise Invalid([Finding("", refused[0].why if refused else "employee_id is empty", "people.row", "")])
    [(_, one)] = read
    new = store.directory.person(one.employee_id) is None
    with audited(store, who, "people.put", one.employee_id, new=new, members=sorted(given)):
        if wrong := store.directory.put_people([one]):
            raise Invalid([Finding("/identifiers", wrong[0][1], "people.identifier", "")])
    return one, new


def import_csv(store: Store, lines: Iterable[str], *, who: str, dry: bool = False, told: Progress = lambda done: None) -> Imported:
    """Read people from CSV (`lrs.directory.csv.people`) and store them; refused rows are named by line, the others are taken.
    `dry`: only say what would be. `told` is called with the rows done so far. Raises ValueError where the text is no such CSV."""
    rows, refused = csv.people(lines)
    if dry:
        return _dry(store, rows, refused)
    known, new, taken = store.directory, 0, 0
    with audited(store, who, "people.import", "people", rows=len(rows), refused=len(refused)):
        for start in range(0, len(rows), SLICE):
            part = rows[start : start + SLICE]
            fresh = [known.person(one.employee_id) is None for _, one in part]
            wrong = dict(known.put_people([one for _, one in part]))
            refused += [Refused(part[at][0], why) for at, why in wrong.items()]
            taken += len(part) - len(wrong)
            new += sum(was_new for at, was_new in enumerate(fresh) if at not in wrong)
            told(start + len(part))
    return Imported(taken, new, tuple(sorted(refused, key=lambda one: one.line)))


def waiting(store: Store, *, after: str = "", limit: int = 100) -> list[dict[str, Any]]:
    """Subjects whose achievements wait because the directory does not know them: `identifier` and the courses, by
    identifier, from the first after `after` on."""
    courses: dict[str, list[str]] = defaultdict(list)
    for row in store.work.held(HELD_MOST):
        courses[row.subject.removeprefix("ifi:")].append(row.course)
    return [{"identifier": subject, "courses": sorted(of)} for subject, of in sorted(courses.items()) if subject > after][:limit]


def _dry(store: Store, rows: list[tuple[int, Person]], refused: list[Refused]) -> Imported:
    owner: dict[str, str] = {}
    taken = new = 0
    for line, one in rows:
        there = {name: found.employee_id for name, found in store.directory.person_by_identifier(one.identifiers).items()}
        clash = next((name for name in one.identifiers if {**there, **owner}.get(name, one.employee_id) != one.employee_id), None)
        if clash is not None:
            refused.append(Refused(line, f"{clash} already belongs to {({**there, **owner})[clash]}"))
            continue
        owner.update(dict.fromkeys(one.identifiers, one.employee_id))
        taken += 1
        new += store.directory.person(one.employee_id) is None
    return Imported(taken, new, tuple(sorted(refused, key=lambda one: one.line)))


def _normal(identifier: str) -> list[str]:
    if not identifier:
        return []
    text = identifier.strip()
    if text.lower().startswith("mailto:"):
        return [f"mbox:{text[7:].lower()}"]
    if re.fullmatch(r"[0-9a-fA-F]{40}", text):
        return [f"sha1:{text.lower()}"]
    return [f"account:{text}" if "|" in text else f"openid:{text}"]


def _has(one: Person, q: str) -> bool:
    low = q.lower()
    return not q or any(low in text.lower() for text in (one.employee_id, one.name, one.email, one.department))
