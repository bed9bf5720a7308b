"""The store of statements as a pure model: lists and loops, no index, so that it can be believed by reading."""
from __future__ import annotations

from dataclasses import dataclass, field

from lrs.statements.record import Prepared, Query


class Refused(Exception):
    """The real store must raise the exception of this name."""


@dataclass
class Model:
    """Statements in order of arrival; a seq is the place in the list."""

    log: list[Prepared] = field(default_factory=list)

    def add(self, batch: list[Prepared]) -> list[bool]:
        """Whether each was repeated; all or none."""
        before = list(self.log)
        repeated = []
        try:
            for new in batch:
                old = self.find(new.id)
                if old is not None and old.raw != new.raw:
                    raise Refused("Conflict")
                if old is None:
                    target = self.find(new.voids)
                    if target is not None and not self._may(new, target):
                        raise Refused("Forbidden")
                    self.log.append(new)
                repeated.append(old is not None)
        except Refused:
            self.log = before
            raise
        return repeated

    def find(self, name: str | None) -> Prepared | None:
        return next((one for one in self.log if one.id == name), None)

    @staticmethod
    def _may(void: Prepared, target: Prepared) -> bool:
        return void.may_void_any or void.provider == target.provider

    def effective(self, void: Prepared) -> bool:
        """Whether a voiding statement has, or would have, an effect."""
        if void.voids in (None, void.id):
            return False
        target = self.find(void.voids)
        return target is None or (target.voids is None and self._may(void, target))

    def voided(self, one: Prepared) -> bool:
        return any(other.voids == one.id and self.effective(other) for other in self.log)

    def chain(self, one: Prepared) -> list[Prepared]:
        """The statement, the one that it refers to, and so on; each once."""
        found: list[Prepared] = []
        at: Prepared | None = one
        while at is not None and at not in found:
            found.append(at)
            at = self.find(at.target) if at.target else None
        return found

    def page(self, query: Query) -> list[str]:
        """All ids that match, in the query's order; since and until are places in the log."""
        found = [
            one.id for place, one in enumerate(self.log)
            if (query.since is None or place > query.since) and (query.until is None or place <= query.until)
            and not self.voided(one)
            and query.credential_id in (None, one.credential_id)
            and any(set(query.terms) <= set(part.terms) for part in self.chain(one))
        ]
        return found if query.ascending else found[::-1]
