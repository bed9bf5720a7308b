"""What a voiding statement does to its target, in both orders of arrival (xAPI 1.0.3 Data 2.3.2)."""
from __future__ import annotations

import sqlite3

from lrs.errors import Forbidden
from lrs.statements.record import Prepared
from lrs.store.sqlite.rows import key


def void_target(db: sqlite3.Connection, new: Prepared) -> bool:
    """Void the stored target of a voiding statement that is about to be stored; whether it has an effect.

    A target that is not here yet counts as an effect; its arrival decides. Raises `Forbidden` where the credential
    may not void it. A voiding statement cannot be voided.
    """
    if new.voids is None:
        return False
    row = db.execute("SELECT seq, provider, voids FROM statements WHERE id = ?", (key(new.voids),)).fetchone()
    if row is None:
        return new.voids != new.id
    if row[1] != new.provider and not new.may_void_any:
        raise Forbidden(f"statement {new.voids} was sent by another provider; to void it the credential needs the scope "
                        "statements/void")
    if row[2] is not None:
        return False
    db.execute("UPDATE statements SET voided = 1 WHERE seq = ?", (row[0],))
    return True


def voided_before(db: sqlite3.Connection, new: Prepared) -> bool:
    """Whether a voiding statement that came first voids the one about to be stored; marks those that do not."""
    waiting = db.execute("SELECT seq, provider, may_void_any FROM statements WHERE target = ?1 AND voids = ?1",
                         (key(new.id),)).fetchall()
    voided = False
    for seq, provider, may_void_any in waiting:
        if new.voids is None and (may_void_any or provider == new.provider):
            voided = True
        else:
            db.execute("UPDATE statements SET void_effective = 0 WHERE seq = ?", (seq,))
    return voided
