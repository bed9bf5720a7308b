"""`python -m bench.scale`: a small simulation of a sharded cluster, chunk balance and query fan-out, from measured bytes.

What is measured stands in `MEASURED`; everything else here is simulated or calculated, and docs/scale.md says so.
"""
from __future__ import annotations

import hashlib
import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import mean

from bench.statements import COURSES, LESSONS, PEOPLE, SEED, VERBS

SHARDS = (1, 4, 16)
CHUNKS = 256
PAGE = 100
Term = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes on disk, compressed as WiredTiger keeps them: of a statement's document, of one entry of an index; and how many
    entries a statement has (its terms, its seq, its id)."""

    statements: int
    document: float
    entry: float
    entries: float

    @property
    def statement(self) -> float:
        """Bytes of one statement, its index included."""
        return self.document + self.entry * self.entries


MEASURED = (Measured(100_000, 466, 93, 17.2), Measured(1_000_000, 479, 141, 17.2))
"""On SecantusDB 0.5.3-beta.193 (WiredTiger), statements of the bench's load, filled in batches of 500, no deletions."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A simulated statement: its place in time (0 is the first, 1 the last), its id's hash, and its terms."""

    at: float
    hash: int
    terms: tuple[Term, ...]


def life(n: int, seed: int = SEED) -> Iterator[Drawn]:
    """Statements with the skew of the bench's load: a few very busy people and courses, verbs by their weights."""
    draw = random.Random(seed)
    names, weights = zip(*VERBS, strict=True)
    for seq in range(n):
        person = str(min(PEOPLE - 1, int(PEOPLE ** draw.random()) - 1))
        course = str(min(COURSES - 1, int(COURSES ** draw.random()) - 1))
        activity, verb = f"{course}/{draw.randrange(LESSONS)}/{draw.randrange(20)}", draw.choices(names, weights)[0]
        registration = f"{person}.{course}"
        terms = (("agent", person), ("related agent", person), ("verb", verb), ("activity", activity), ("related activity", activity),
                 ("related activity", course), ("registration", registration), ("credential", "1"), ("agent+verb", person, verb),
                 ("agent+activity", person, activity), ("verb+activity", verb, activity), ("agent+registration", person, registration),
                 ("verb+registration", verb, registration))
        yield Drawn(seq / n, draw.getrandbits(64), terms)


def hashed_id(one: Drawn, term: Term) -> int:
    """The chosen key: document and all of its terms go where the hash of the id says."""
    return one.hash % CHUNKS


def by_seq(one: Drawn, term: Term) -> int:
    """Refused: ranges of seq, so that the newest chunk takes every write."""
    return int(one.at * CHUNKS)


def by_term(one: Drawn, term: Term) -> int:
    """Refused: an index of its own, sharded by term; a filter is then asked of one shard."""
    return int.from_bytes(hashlib.blake2b(repr(term).encode(), digest_size=8).digest(), "big") % CHUNKS


KEYS: dict[str, Callable[[Drawn, Term], int]] = {
    "hashed `_id` (chosen)": hashed_id, "`seq`": by_seq, "`term` (an index of its own)": by_term}


@dataclass(frozen=True, slots=True)
class Balance:
    """How a key spreads over shards: bytes of the fullest against the mean, share of the writes that go to the busiest shard while
    a hundredth of all statements come in, shards that the write of one statement touches."""

    fullest: float
    busiest: float
    touched: float


def balance(statements: list[Drawn], key: Callable[[Drawn, Term], int], shards: int) -> Balance:
    """Chunks are dealt to the shards so that each holds as much as the others, as the balancer does: the largest first."""
    held: Counter[int] = Counter()
    for one in statements:
        held.update(key(one, term) for term in one.terms)
    loads = [(0, n) for n in range(shards)]
    where: dict[int, int] = {}
    for chunk, size in held.most_common():
        load, shard = heapq.heappop(loads)
        where[chunk] = shard
        heapq.heappush(loads, (load + size, shard))
    full = [load for load, _ in loads]
    late: Counter[int] = Counter()
    touched = []
    for one in statements[-max(1, len(statements) // 100):]:
        at = [where[key(one, term)] for term in one.terms]
        late.update(at)
        touched.append(len(set(at)))
    return Balance(max(full) / mean(full), max(late.values()) / sum(late.values()), mean(touched))


FILTERS = ("agent", "verb", "activity", "related activity", "registration", "agent+verb")


def looks(statements: list[Drawn], shards: int, kind: str, asked: int = 50) -> tuple[float, float]:
    """Index entries looked at for a page of the newest matches of a filter whose values are drawn as they occur: on the shard that
    looks at most, and on all together. Every shard gives its own newest up to a page, and the router merges."""
    of: dict[Term, list[int]] = defaultdict(list)
    for one in statements:
        for term in one.terms:
            if term[0] == kind:
                of[term].append(one.hash % CHUNKS % shards)
    draw = random.Random(SEED)
    most, all_of_them = [], []
    for one in draw.choices(statements, k=asked):
        term = next(term for term in reversed(one.terms) if term[0] == kind)
        each = [min(PAGE + 1, count) for count in Counter(of[term]).values()]
        most.append(max(each))
        all_of_them.append(sum(each))
    return mean(most), mean(all_of_them)


def page(n: int = 100_000) -> str:
    """The simulated and calculated tables of docs/scale.md."""
    statements = list(life(n))
    lines = [f"| shard key ({n:,} simulated statements) | shards | fullest shard ÷ mean | busiest shard's share of new writes "
             "| shards that one statement's write touches |", "|---|---:|---:|---:|---:|"]
    for name, key in KEYS.items():
        for shards in SHARDS:
            one = balance(statements, key, shards)
            lines.append(f"| {name} | {shards} | {one.fullest:.2f} | {100 * one.busiest:.0f} % | {one.touched:.1f} |")
    lines += ["", "| filter, newest 100 | "
              + " | ".join(f"{shards} shard{'s' * (shards > 1)}: most on one, all" for shards in SHARDS) + " |",
              "|---|" + "---:|" * len(SHARDS)]
    for kind in FILTERS:
        cells = " | ".join("{:.0f}, {:.0f}".format(*looks(statements, shards, kind)) for shards in SHARDS)
        lines.append(f"| {kind} | {cells} |")
    of = MEASURED[-1]
    lines += ["", "| statements | documents | index | together | shards of 1 TB, two thirds full |", "|---:|---:|---:|---:|---:|"]
    for count in (10**6, 10**7, 10**8, 10**9):
        documents, index = count * of.document, count * of.entry * of.entries
        lines.append(f"| {count:,} | {_size(documents)} | {_size(index)} | {_size(documents + index)} "
                     f"| {max(1, -(-int(documents + index) // 667_000_000_000))} |")
    return "\n".join(lines) + "\n"


def _size(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count < 1e12 else f"{count / 1e12:,.2f} TB"


if __name__ == "__main__":
    print(page(), end="")
