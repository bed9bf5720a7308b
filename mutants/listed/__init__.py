"""The list of mutants, by part of the product."""
from __future__ import annotations

from collections.abc import Sequence

from mutants.listed import completions, ingest, outside, sending, store, web
from mutants.mutant import Mutant

PARTS: dict[str, Sequence[Mutant]] = {
    "The log of statements": store.LOG,
    "What is taken in": ingest.MUTANTS,
    "Who may, and what is shown": web.MUTANTS,
    "Proofs of others, and ways out": outside.MUTANTS,
    "Completions": completions.MUTANTS,
    "The worker's file": store.WORK,
    "Deliveries": sending.MUTANTS,
}
MUTANTS: tuple[Mutant, ...] = tuple(one for mutants in PARTS.values() for one in mutants)
