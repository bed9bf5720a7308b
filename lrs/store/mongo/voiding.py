"""What a voiding statement does to its target, in both orders of arrival (xAPI 1.0.3 Data 2.3.2)."""
from __future__ import annotations

from lrs.errors import Forbidden
from lrs.statements.record import Prepared
from lrs.store.mongo.database import Calls
from lrs.store.mongo.references import REFERRALS
from lrs.store.mongo.rows import STATEMENTS, key


def void_target(calls: Calls, new: Prepared) -> bool:
    """Void the stored target of a voiding statement that is about to be stored; whether it has an effect.

    A target that is not here yet counts as an effect; its arrival decides. Raises `Forbidden` where the credential
    may not void it. A voiding statement cannot be voided.
    """
    if new.voids is None:
        return False
    target = calls.one(STATEMENTS, {"_id": key(new.voids)}, {"seq": 1, "provider": 1, "voids": 1})
    if target is None or "seq" not in target:
        return new.voids != new.id
    if target["provider"] != new.provider and not new.may_void_any:
        raise Forbidden(f"statement {new.voids} was sent by another provider; to void it the credential needs the scope "
                        "statements/void")
    if "voids" in target:
        return False
    calls.update(STATEMENTS, {"_id": target["_id"]}, {"$set": {"voided": True}})
    return True


def voided_before(calls: Calls, new: Prepared) -> bool:
    """Whether a voiding statement that came first voids the one about to be stored; marks those that do not."""
    voided = False
    for waiting in calls.find(REFERRALS, {"target": key(new.id), "voids": True}):
        if new.voids is None and (waiting["may_void_any"] or waiting["provider"] == new.provider):
            voided = True
        else:
            calls.update(STATEMENTS, {"_id": waiting["_id"]}, {"$set": {"void_effective": False}})
    return voided
