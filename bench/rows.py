"""One measured row, and the table of budgets that rows are held against."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """A figure: `what`, its `value` in `unit` (median of `runs`), the circumstances (`store`: statements before →
    after; `worker` on or off), and the `budget` it is held against, '' where there is none."""

    key: str
    what: str
    value: float
    unit: str
    runs: tuple[float, ...] = ()
    store: str = ""
    worker: str = ""
    note: str = ""
    budget: str = ""
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget: its words, and whether a value keeps it."""

    words: str
    keeps: Callable[[float], bool]


BUDGETS: dict[str, Budget] = {
    "validate": Budget("≤ 25 µs", lambda v: v <= 25),
    "batch500.off.ratio": Budget("≥ 65 % of the raw loop", lambda v: v >= 65),
    "batch500.on.ratio": Budget("≥ 55 % of the raw loop", lambda v: v >= 55),
    "batch5": Budget("≥ 3 000 /s", lambda v: v >= 3000),
    "single8.plain.ratio": Budget("≥ 35 % of the plain endpoint", lambda v: v >= 35),
    "single8.fsync.ratio": Budget("≥ 60 % of 8/(fsync p50)", lambda v: v >= 60),
    "single8.p99": Budget("≤ 50 ms or 10 × fsync p99", lambda v: v <= 50),
    "page.ratio": Budget("≤ 1.5 × the time at the smallest size", lambda v: v <= 1.5),
    "sets.worst": Budget("≤ 50 ms", lambda v: v <= 50),
    "grow.ratio": Budget("≥ 50 % of the rate at the smallest size", lambda v: v >= 50),
    "first_attempt.p95": Budget("< 1 000 ms", lambda v: v < 1000),
    "deliveries": Budget("≥ 300 /s", lambda v: v >= 300),
    "export.parquet": Budget("≥ 300 000 rows/s", lambda v: v >= 300_000),
    "export.memory": Budget("< 200 MB", lambda v: v < 200),
    "web.memory": Budget("< 200 MB", lambda v: v < 200),
    "web.slope": Budget("< 5 MB", lambda v: v < 5),
    "mongo.batch.ratio": Budget("≥ 60 % of the raw driver loop", lambda v: v >= 60),
    "mongo.page.ratio": Budget("≥ 70 % of find alone", lambda v: v >= 70),
    "wal": Budget("< 512 MB", lambda v: v < 512),
}


@dataclass
class Table:
    """The rows of a run, printed as they come."""

    rows: list[Row] = field(default_factory=list)

    def add(self, key: str, what: str, values: float | list[float], unit: str, *, store: str = "", worker: str = "",
            note: str = "") -> Row:
        """Keep and print a row; of several values the median counts."""
        runs = tuple(values) if isinstance(values, list) else (values,)
        value = median(runs)
        budget = BUDGETS.get(key)
        row = Row(key, what, value, unit, runs if len(runs) > 1 else (), store, worker, note, budget.words if budget else "",
                  budget.keeps(value) if budget else None)
        self.rows.append(row)
        told = "" if row.met is None else f"   {'kept' if row.met else 'MISSED'}: {row.budget}"
        print(f"{what:<64} {shown(value):>12} {unit}{told}", flush=True)
        return row


def shown(value: float) -> str:
    """A figure with three significant digits, thousands apart."""
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 100 else f"{value:.3g}"
