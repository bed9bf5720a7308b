"""Signed statements (xAPI 1.0.3 Data 2.6): the signature is a JWS whose payload is the statement itself."""
from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from lrs.errors import Finding
from lrs.ingest.attached import attachments_of
from lrs.statements.checks.attachments import SIGNATURE
from lrs.statements.equality import same
from lrs.statements.parse import Received
from lrs.store.protocols.attachments import Staged

SECTION = "2.6"
ALGORITHMS = ("RS256", "RS384", "RS512")
SIGNATURE_MAX = 4 * 2**20
"""Bytes of a signature that are read; it holds a statement in base64 and some certificates."""


class _Wrong(Exception):
    """Why a signature does not hold."""


def findings(index: int, received: Received, data: Mapping[str, Staged]) -> list[Finding]:
    """What is wrong with the signatures of a statement whose data came with it; `data` by hash."""
    found = []
    for place, attachment in enumerate(attachments_of(received.value)):
        staged = data.get(str(attachment.get("sha2", "")).lower())
        if attachment.get("usageType") != SIGNATURE or staged is None:
            continue
        try:
            _check(staged.head(SIGNATURE_MAX), received.raw)
        except _Wrong as why:
            told = f"the signature does not hold: {why}"
            found.append(Finding(f"/attachments/{place}", told, "attachment.signature", SECTION, "", index))
    return found


def _check(signature: bytes, statement: bytes) -> None:
    pieces = signature.strip().split(b".")
    if len(pieces) != 3:
        raise _Wrong("it is no JWS in compact form (three pieces joined by dots)")
    header, payload = _json(pieces[0], "its header"), _decoded(pieces[1], "its payload")
    algorithm = str(header.get("alg"))
    if algorithm not in ALGORITHMS:
        raise _Wrong(f"its algorithm is {algorithm[:20]}, it must be one of {', '.join(ALGORITHMS)}")
    signed = _decoded(pieces[2], "its last piece")
    try:
        # unpaired surrogates, 1E400 and the like are no JSON that the statement could have been
        matches = isinstance(json.loads(payload), dict) and same(payload, statement)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise _Wrong("its payload is no statement in JSON") from None
    if not matches:
        raise _Wrong("its payload is another statement than the one it came with")
    if "x5c" in header:
        from lrs.ingest import certified  # what reads certificates is loaded with the first of them: few statements bring any

        if fault := certified.fault(header["x5c"], algorithm, pieces[0] + b"." + pieces[1], signed):
            raise _Wrong(fault)


def _decoded(piece: bytes, what: str) -> bytes:
    try:
        return base64.b64decode(piece + b"=" * (-len(piece) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _Wrong(f"{what} is not base64url") from None


def _json(piece: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(_decoded(piece, what))
    except (ValueError, RecursionError):
        raise _Wrong(f"{what} is not JSON") from None
    if not isinstance(value, dict):
        raise _Wrong(f"{what} is no JSON object")
    return value
