"""Checks of what was set up: who may talk to the LRS, where completions go, what statements are not understood."""
from __future__ import annotations

import base64
import binascii
import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson

from lrs.completions.catalogue import Catalogue
from lrs.completions.judge import judge
from lrs.ingest import maps
from lrs.management import verbs
from lrs.management.findings import ERROR, WARNING, Finding, Look
from lrs.schema import SettingsInvalid, checked
from lrs.sources.registry import SOURCES
from lrs.store.open_store import Store
from lrs.store.protocols.work import TargetRow
from verbs.read import from_json
from workers.connectors.base import Delivered, Target
from workers.connectors.registry import connectors, settings_for

LATELY_DAYS = 30
MOST_STATEMENTS = 20_000
"""Statements looked at for verbs and courses: about half a second. `lrs verbs unmapped` looks at all."""

NAMED = 5
"""Verbs and courses that are named one by one."""

PROBES = 8
SECRET_SYMBOLS = 12
"""A signing key of 24 random bytes or more has at least so many different ones."""


def credentials(look: Look) -> Iterator[Finding]:
    """Whether anybody may send statements."""
    if look.store and not any(not one.revoked for one in look.store.credentials.list()):
        yield Finding(WARNING, "credentials", "nobody may talk to this LRS yet", "lrs credentials create (lrs serve makes the first one)")


def connections(look: Look) -> Iterator[Finding]:
    """Whether what the live sessions' sources send can be stored: each connection needs a valid credential."""
    if not look.store:
        return
    keys = {one.key: one for one in look.store.credentials.list()}
    for one in look.store.connections.list():
        where, credential = f"connection {one.name}", keys.get(one.credential)
        if credential is None or credential.revoked:
            what = "was revoked" if credential else "does not exist"
            yield Finding(ERROR, where, f"its credential {one.credential} {what}: nothing it sends can be stored",
                          f"add one under another name: lrs connections add --source {one.source}; give its address to the source")
        if one.state != "active":
            yield Finding(WARNING, where, f"it is {one.state}: what its source sends is refused", f"lrs connections resume {one.name}")
        schema = SOURCES.get(one.source)
        if schema is None:
            yield Finding(ERROR, where, f"there is no source {one.source!r} in this version", "use the version that it was added with")
            continue
        try:
            checked(one.source, tuple(schema), one.settings)
        except SettingsInvalid as wrong:
            yield Finding(ERROR, where, str(wrong), "correct its settings: lrs connections")


def targets(look: Look) -> Iterator[Finding]:
    """Whether the targets are switched on, well set up, and answer."""
    if not look.store:
        return
    asked: list[TargetRow] = []
    for row in look.store.work.targets():
        where = f"target {row.name}"
        if row.state != "active":
            yield Finding(WARNING, where, f"it is {row.state}: {row.why or 'no reason given'}; what it is owed waits",
                          f"mend the reason, then: lrs targets resume {row.name}")
        ca_file = str(row.settings.get("ca_file") or "")
        if ca_file and not Path(ca_file).is_file():
            yield Finding(ERROR, where, f"its ca_file {ca_file} is not there", f"put the file there, or: lrs targets change {row.name}")
            continue
        try:
            settings_for(row.connector, row.settings)
        except SettingsInvalid as wrong:
            yield Finding(ERROR, where, str(wrong), f"correct its settings: lrs targets change {row.name}")
            continue
        if row.state == "active" and look.network:
            asked.append(row)
    known = connectors(lambda: time.time_ns() // 1000)
    with ThreadPoolExecutor(PROBES) as pool:
        answers = pool.map(lambda row: known[row.connector].probe(Target(row.name, row.connector, row.settings)), asked)
        for row, answer in zip(asked, answers, strict=True):
            if not isinstance(answer.outcome, Delivered):
                why = getattr(answer.outcome, "why", "") or type(answer.outcome).__name__.lower()
                yield Finding(ERROR, f"target {row.name}", f"it does not take what we send: {why}",
                              f"mend that, then: lrs targets test {row.name}")


def secrets(look: Look) -> Iterator[Finding]:
    """Whether signing secrets are strong, each used by one target, and done with rotating."""
    holders: dict[str, list[str]] = defaultdict(list)
    for row in look.store.work.targets() if look.store else []:
        if row.connector != "webhook":
            continue
        where, found = f"target {row.name}", str(row.settings.get("secret") or "").split()
        if len(found) > 1:
            yield Finding(WARNING, where, "it signs with an old secret, too",
                          f"once the receiver has the new one: lrs targets rotate {row.name} --retire")
        for secret in found:
            holders[hashlib.sha256(secret.encode()).hexdigest()].append(row.name)
            if len(set(_key(secret))) < SECRET_SYMBOLS:
                yield Finding(WARNING, where, "its signing secret is not random: whoever guesses it can forge our webhooks",
                              f"lrs targets rotate {row.name} makes one that is")
                break
    for names in holders.values():
        if len(set(names)) > 1:
            yield Finding(WARNING, f"targets {', '.join(sorted(set(names)))}",
                          "they share a signing secret: each can forge our webhooks to the other", "give each its own")


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return b""


def unmapped_verbs(look: Look) -> Iterator[Finding]:
    """Whether verbs came lately that the map does not know: they are stored, and complete nothing."""
    if not look.store or not look.store.statements.last_seq():
        return
    found, _ = verbs.unmapped(look.store, _since(look.store), MOST_STATEMENTS)
    for one in found[:NAMED]:
        hint = f"; it looks like {one['suggestion']}" if one["suggestion"] else ""
        yield Finding(WARNING, f"verb {one['verb']}",
                      f"{one['count']} statements of {one['provider']} lately, and no row of the verb map{hint}",
                      "lrs verbs propose, or leave it so if it completes nothing")
    if len(found) > NAMED:
        yield Finding(WARNING, "verbs", f"{len(found) - NAMED} more are not mapped", "lrs verbs unmapped")


def uncatalogued_courses(look: Look) -> Iterator[Finding]:
    """Whether courses came lately that the catalogue does not know: they count, without title, ids and rules of ours."""
    if not look.store or not look.store.statements.last_seq():
        return
    found = _uncatalogued(look.store, look.now_us)
    for course, count in found.most_common(NAMED):
        yield Finding(WARNING, f"course {course}",
                      f"{count} completions lately, and it is not in the catalogue: targets get no title and no id of their own for it",
                      "lrs courses import")
    if len(found) > NAMED:
        yield Finding(WARNING, "courses", f"{len(found) - NAMED} more are not in the catalogue", "lrs courses import")


def _uncatalogued(store: Store, now_us: int) -> Counter[str]:
    rules = maps.current(store).rules
    courses = store.directory.courses()
    catalogue, known = Catalogue(courses, rules), {course.id for course in courses}
    counts: Counter[str] = Counter()
    after, seen = _since(store), 0
    while seen < MOST_STATEMENTS and (records := store.statements.follow(after, 1000)):
        after, seen = records[-1].seq, seen + len(records)
        for record in records:
            judged: Any = judge(orjson.loads(record.text), from_json(record.reading), seq=record.seq, stored_us=record.seq,
                                provider=record.provider, catalogue=catalogue, now_us=now_us, voided=record.voided)
            keys = {catalogue.course(key).id for key, _ in judged.evidence if not key.startswith(("cmi5:", "credential:"))}
            counts.update(keys - known)
    return counts


def _since(store: Store) -> int:
    return max(0, store.statements.last_seq() - LATELY_DAYS * 86_400 * 1_000_000)


def people(look: Look) -> Iterator[Finding]:
    """Whether anybody is known whose completions could be delivered."""
    if look.store and look.store.statements.last_seq() and not look.store.directory.people():
        yield Finding(WARNING, "people", "statements are here, and the directory is empty: every completion waits for its person",
                      "lrs people import")
