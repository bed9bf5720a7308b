"""The worker's side of the store in memory: cursors, states and feed here; deliveries and targets beside it."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from lrs.store.protocols.work import BEGINNING, Cursor, FeedRow, Health, Output, Published, StateRow, TargetRow, fingerprint
from lrs.store.sqlite.clock import Ticks
from simulation.disk import File
from simulation.store import deliveries
from simulation.store.content import Fed, Outgoing, changed
from simulation.store.deliveries import ModelDeliveries


class ModelWork(ModelDeliveries):
    """`lrs.store.protocols.work.Work` in memory."""

    def __init__(self, file: File[Outgoing], ticks: Ticks) -> None:
        self._file, self._wall, self._ticks = file, ticks.wall, ticks

    def cursor(self, consumer: str) -> Cursor:
        """Where the consumer stands."""
        return self._file.read().cursors.get(consumer, BEGINNING)

    def cursors(self) -> dict[str, Cursor]:
        """Every consumer's cursor."""
        return dict(self._file.read().cursors)

    def advance(self, consumer: str, was: Cursor, now: Cursor, output: Output) -> bool:
        """Output and cursor in one write; False if the cursor is not `was` any more, or a fence has moved."""
        created = self._wall()
        with self._file.write() as out:
            moved = any(out.cursors.get(name, BEGINNING) != at for name, at in ((consumer, was), *output.fences)) or not stands(out, output)
            if not moved:
                write_output(out, output, created)
                out.cursors[consumer] = now
        return not moved

    def states(self, subjects: Sequence[str]) -> list[StateRow]:
        """Everything known of these subjects."""
        out = self._file.read()
        return [state for wanted in dict.fromkeys(subjects) for state in states_of(out, wanted)]

    def last_published(self, event_id: str) -> Published | None:
        """What the feed last said of this achievement; None where it has no row of it."""
        out = self._file.read()
        if event_id not in out.said:
            return None
        one = max((row for row in out.feed if row.event_id == event_id), key=lambda row: row.revision)
        return Published(one.event, one.event_id, one.revision, one.body)

    def holders(self, seq: int) -> list[str]:
        """The subjects for whom the statement with this seq is evidence."""
        mark = b'{"seq":%d,' % seq
        return sorted({row.subject for row in self._file.read().states.values() if row.body and mark in row.body})

    def subjects(self, prefix: str, limit: int) -> list[str]:
        """At most `limit` subjects of whom something is known and whose key begins so, in order."""
        return sorted({subject for subject, _ in self._file.read().states if subject.startswith(prefix)})[:limit]

    def held(self, limit: int = 100) -> list[StateRow]:
        """States with an achievement that waits for a person."""
        states = self._file.read().states
        return [states[key] for key in sorted(states) if states[key].held][:limit]

    def feed(self, after: int, limit: int) -> list[FeedRow]:
        """At most `limit` rows with n > after, oldest first."""
        rows = self._file.read().feed
        return [FeedRow(one.n, one.body) for one in islice((one for one in rows if one.n > after), limit)]

    def feed_length(self) -> int:
        """The number of the last row of the feed."""
        feed = self._file.read().feed
        return feed[-1].n if feed else 0

    def add_target(self, target: TargetRow) -> bool:
        """Keep a new target; False if its name is taken."""
        with self._file.write() as out:
            new = target.name not in out.targets
            if new:
                there = {**out.targets, target.name: TargetRow(target.name, target.connector, dict(target.settings))}
                out.targets = {name: there[name] for name in sorted(there)}
        return new

    def targets(self) -> list[TargetRow]:
        """All of them, by name."""
        return deliveries.every_target(self._file.read())

    def target(self, name: str) -> TargetRow | None:
        """The target of this name."""
        return self._file.read().targets.get(name)

    def change_target(self, name: str, settings: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> bool:
        """Replace a target's settings; its state stays. Not where they are not `before` any more."""
        with self._file.write() as out:
            there = out.targets.get(name)
            if there is None or (before is not None and dict(there.settings) != dict(before)):
                return False
            out.targets[name] = replace(there, settings=dict(settings))
        return True

    def set_target_state(self, name: str, state: str, why: str = "") -> bool:
        """active | paused | disabled. Making it active forgets its faults and makes what waits due at once."""
        now = self._wall()
        with self._file.write() as out:
            there = out.targets.get(name)
            if there:
                out.targets[name] = replace(there, state=state, why=why, health=Health() if state == "active" else there.health)
                if state == "active":
                    for row in list(out.owed.values()):
                        if row.target == name and row.state == "waiting":
                            out.owed[row.id] = changed(row, due=now)
        return there is not None


def states_of(out: Outgoing, subject: str) -> list[StateRow]:
    """The subject's, by course."""
    return [out.states[key] for key in sorted(key for key in out.states if key[0] == subject)]


def stands(out: Outgoing, output: Output) -> bool:
    """Whether what was loaded and heard is so still."""
    return (all(fingerprint(states_of(out, subject)) == loaded for subject, loaded in output.loaded.items())
            and all(max(out.said.get(event_id, (0,))) == heard for event_id, heard in output.heard.items()))


def write_output(out: Outgoing, output: Output, created: int) -> None:
    """What a round has found, into the draft of a write."""
    for state in output.states:
        if state.body is None:
            out.states.pop((state.subject, state.course), None)
        else:
            out.states[state.subject, state.course] = state
    for event_id in output.cancelled:
        deliveries.cancel_unsent(out, event_id)
    refused = publish(out, output.published)
    for index, target in output.owed:
        if index not in refused:
            deliveries.owe(out, target, output.published[index], created)
    for kind, key in output.released:
        deliveries.release_parked(out, kind, key, created)


def publish(out: Outgoing, published: Sequence[Published]) -> set[int]:
    """Append to the feed, numbered without a gap; the indices of those whose revision stands there already."""
    refused: set[int] = set()
    for index, one in enumerate(published):
        known = out.said.get(one.event_id, frozenset())
        if one.revision in known:
            refused.add(index)
            continue
        n = out.feed[-1].n + 1 if out.feed else 1
        out.feed.append(Fed(n, one.event_id, one.revision, one.event, one.body))
        out.said[one.event_id] = known | {one.revision}
    return refused
