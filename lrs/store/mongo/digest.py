"""The `_id` of a document by its natural key: 16 bytes, so that it is unique wherever the collection is sharded."""
from __future__ import annotations

import hashlib


def digest(*parts: str) -> bytes:
    """The same parts have the same one. No part can be taken for a piece of its neighbour: each is preceded by its length."""
    return hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).digest()[:16]
