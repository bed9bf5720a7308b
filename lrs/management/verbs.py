"""The verb map as an administrator meets it: rows, what is unmapped, why a statement is read so, and new versions."""
from __future__ import annotations

import io
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import orjson

from lrs.completions import providers
from lrs.completions.catalogue import Catalogue
from lrs.completions.judge import judge
from lrs.completions.model import CREDENTIAL
from lrs.completions.providers import ProviderRules
from lrs.errors import Finding, Invalid
from lrs.ingest import maps
from lrs.management.maps import Progress, must_be_text, propose, refused
from lrs.statements.validate import findings as broken_rules
from lrs.store.open_store import Store
from lrs.store.protocols.mappings import Mapping as Version
from verbs.installed import Fault, Key, checked, key, read_rows, versions
from verbs.read import UNMAPPED, from_json
from verbs.tables import Row

FIELDS = ("rows", "providers", "without_providers")


def rows(store: Store, verb: str = "") -> list[Row]:
    """The rows of the map in force, the product's and the installation's, of one canonical verb or of all."""
    return [row for row in maps.current(store).table.rows if verb in ("", row.canonical)]


def unmapped(
    store: Store, after: int = 0, most: int | None = None, progress: Progress = lambda share: None,
) -> tuple[list[dict[str, Any]], int]:
    """Verbs without a row, by provider, with a suggestion, the most frequent first; and the seq up to which was looked.

    Walks the log: about 10 s a million statements; `most` ends it after that many, to go on from the seq given.
    """
    counts: Counter[tuple[str, str]] = Counter()
    first, last, seen = after, store.statements.last_seq(), 0
    while records := store.statements.follow(after, min(1000, most - seen) if most else 1000):
        after, seen = records[-1].seq, seen + len(records)
        first = first or records[0].seq
        for record in records:
            # what the reading cannot say without being decoded, a look at its bytes does
            if UNMAPPED.encode() in record.reading and from_json(record.reading).verb == UNMAPPED:
                counts[record.provider, orjson.loads(record.text)["verb"]["id"]] += 1
        progress(min(1.0, (after - first) / max(1, last - first)))
        if most and seen >= most:
            break
    table = maps.current(store).table
    return [{"provider": provider, "verb": iri, "count": count, "suggestion": table.suggestion(iri)}
            for (provider, iri), count in counts.most_common()], after


def explain(store: Store, statement: Mapping[str, Any], provider: str = "") -> dict[str, Any]:
    """How this statement is read by the map in force, by which row and rule, and for whom it would count; `refused`: what it breaks
    of the standard in whichever version takes it best, the data of attachments aside, so that it would not be stored at all."""
    must_be_text([statement, provider])
    broken = min((broken_rules(dict(statement), version) for version in ("1.0.3", "2.0.0")), key=len)
    verb_map = maps.current(store)
    reading = verb_map.read(statement, provider)
    catalogue = Catalogue(store.directory.courses(), verb_map.rules)
    now = time.time_ns() // 1000
    judgement = judge(statement, reading, seq=now, stored_us=now, provider=provider, catalogue=catalogue, now_us=now)
    known = store.directory.person_by_identifier(judgement.identifiers)
    who = next((known[name].employee_id for name in judgement.identifiers if name in known), "")
    pairs = [(name, one) for name, one in judgement.evidence if not name.startswith("cmi5:")]
    verb = statement.get("verb")
    iri = str(verb.get("id", "")) if isinstance(verb, Mapping) else ""
    return {
        "verb": reading.verb, "row": asdict(reading.via) if reading.via else None, "kind": reading.kind, "outcome": reading.outcome,
        "score": asdict(reading.score) if reading.score else None, "duration": reading.duration, "map_version": reading.map_version,
        "rule": judgement.rule, "rule_says": verb_map.table.rules.get(judgement.rule, ""), "why": judgement.why, "hold": judgement.hold,
        "courses": [name for name, _ in pairs if not name.startswith(CREDENTIAL)],
        "credentials": [name.removeprefix(CREDENTIAL) for name, _ in pairs if name.startswith(CREDENTIAL)],
        "statuses": sorted({one.status for _, one in pairs}),
        "learner": list(judgement.identifiers), "employee_id": who,
        "suggestion": "" if reading.via else verb_map.table.suggestion(iri),
        "refused": [{"pointer": one.where, "rule": one.rule, "why": one.why} for one in broken if one.rule != "attachment.data"],
    }  # fmt: skip


def propose_history(store: Store, *, who: str, note: str = "") -> Version:
    """A version that adds nothing and reads all of history again with the map in force: after an update of the product,
    whose newer map is else only met by new statements."""
    active = store.mappings.active(maps.VERBS)
    there = maps.from_json(active.body if active else b"")
    return propose(store, maps.VERBS, maps.to_json(replace(there, whole_history=True)), who=who, note=note or "all of history",
                   detail={"whole_history": True})


def propose_text(store: Store, text: str, *, who: str, note: str = "", whole: bool = False) -> Version:
    """A version from a file: CSV rows, or JSON `{"rows": [{verb_iri, …}], "providers": [{provider, …}],
    "without_providers": [name]}`. Rows add to and replace those of the active version by verb, provider and activity
    type; canonical `-` takes one away. `whole`: the file is all that the installation adds.

    Raises `Invalid` with every fault: its row (line of the CSV, or place in the list, from 1) and column.
    """
    if text.lstrip("\ufeff \r\n\t")[:1] in ("{", "["):
        try:
            value = json.loads(text.lstrip("\ufeff"))
        except (ValueError, RecursionError) as error:
            raise refused(f"not JSON: {error}", "mapping.json") from error
        return propose_json(store, value, who=who, note=note, whole=whole)
    try:
        added, gone, faults = read_rows(io.StringIO(text))
    except ValueError as error:
        raise refused(str(error), "mapping.csv") from error
    return _propose(store, added, gone, [], [], [_finding(one) for one in faults], who=who, note=note, whole=whole)


def propose_json(store: Store, value: object, *, who: str, note: str = "", whole: bool = False) -> Version:
    """A version from the JSON document of `propose_text`; the same promises."""
    must_be_text(value)
    if not isinstance(value, Mapping) or not {*value} <= {*FIELDS} or not all(isinstance(part, list) for part in value.values()):
        raise refused(f"a proposal is a JSON object of lists: {', '.join(FIELDS)}", "mapping.json")
    faults: list[Finding] = []
    given = value.get("rows", [])
    faults += [Finding("", "a row is a JSON object", "mapping.row", "", index=n) for n, one in enumerate(given, 1)
               if not isinstance(one, Mapping)]
    added, gone, wrong = checked((n, one) for n, one in enumerate(given, 1) if isinstance(one, Mapping))
    rules: list[ProviderRules] = []
    for n, one in enumerate(value.get("providers", []), 1):
        try:
            rules.append(providers.from_json(one))
        except ValueError as error:
            faults.append(Finding("/providers", str(error), "mapping.provider", "", index=n))
    names = [str(name) for name in value.get("without_providers", [])]
    return _propose(store, added, gone, rules, names, [*faults, *map(_finding, wrong)], who=who, note=note, whole=whole)


def _propose(store: Store, added: list[Row], gone: list[Key], rules: list[ProviderRules], without: list[str],
             faults: list[Finding], *, who: str, note: str, whole: bool) -> Version:
    active = store.mappings.active(maps.VERBS)
    there = maps.Installed() if whole or active is None else maps.from_json(active.body)
    own = {key(row): row for row in there.rows}
    faults += [Finding("/verb_iri", f"the installation has no row {' '.join(filter(None, one))} to take away", "mapping.row", "")
               for one in gone if one not in own]
    if faults:
        raise Invalid(faults)
    own = {name: row for name, row in own.items() if name not in gone} | {key(row): row for row in added}
    ruled = {one.provider: one for one in (*there.providers, *rules) if one.provider not in without}
    body = maps.to_json(maps.Installed(tuple(own.values()), tuple(ruled.values())))
    return propose(store, maps.VERBS, body, who=who, note=note,
                   detail={"rows": len(added), "taken_away": len(gone), "providers": len(rules)})


def _finding(fault: Fault) -> Finding:
    return Finding(f"/{fault.column}" if fault.column else "", fault.why, "mapping.row", "", index=fault.row)


def map_version(store: Store) -> dict[str, int]:
    """The version of the map in force: as readings carry it, and its two parts."""
    version = maps.current(store).table.version
    product, installation = versions(version)
    return {"map_version": version, "product": product, "installation": installation}
