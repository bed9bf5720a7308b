"""Sends many deliveries in few calls: rows that exclude each other apart, a refused batch halved until the bad row is alone."""
from __future__ import annotations

from collections.abc import Callable, Sequence

from workers.connectors.base import Answer, Delivered, Delivery, Rejected, Skipped

WHOLE = (400, 413, 422)
"""Statuses with which a whole batch is refused because of a row, or of its size."""

Send = Callable[[Sequence[Delivery]], Sequence[Answer]]


def send_all(deliveries: Sequence[Delivery], send: Send, key: Callable[[Delivery], str],
             may_send: Callable[[Sequence[Delivery]], bool]) -> list[Answer | None]:
    """An answer for each delivery, in their order; None for those that were not sent: `may_send` said no, or a call
    before failed as a whole, so that they may go later.

    Of deliveries with the same key the earlier goes in an earlier call. n rows of which one is refused with its whole
    batch take about 2 · log2 n calls.
    """
    answers: dict[str, Answer] = {}
    for round_ in _rounds(deliveries, key):
        halves = [round_]
        while halves:
            rows = halves.pop()
            if not may_send(rows):
                return [answers.get(one.id) for one in deliveries]
            got = send(rows)
            if len(rows) > 1 and all(isinstance(a.outcome, Rejected) and a.status in WHOLE for a in got):
                middle = len(rows) // 2
                halves += [rows[middle:], rows[:middle]]
                continue
            answers.update(zip((one.id for one in rows), got, strict=True))
            if not any(isinstance(answer.outcome, Delivered | Rejected | Skipped) for answer in got):
                return [answers.get(one.id) for one in deliveries]
    return [answers.get(one.id) for one in deliveries]


def _rounds(deliveries: Sequence[Delivery], key: Callable[[Delivery], str]) -> list[list[Delivery]]:
    rounds: list[list[Delivery]] = []
    seen: dict[str, int] = {}
    for one in deliveries:
        place = seen.get(key(one), 0) if key(one) else 0
        seen[key(one)] = place + 1
        rounds += [[]] if place == len(rounds) else []
        rounds[place].append(one)
    return rounds
