"""Another process that posts statements to the store of a test, and voids some, until it is told to stop."""
from __future__ import annotations

import json
import random
import sys
import uuid

from lrs.config import Settings
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.services import Services
from lrs.store.open_store import open_store

VOIDED = "http://adlnet.gov/expapi/verbs/voided"


def main(folder: str, seed: str, to_void: list[str]) -> None:
    """Print a line a batch, and the ids voided; stop when stdin ends."""
    chance = random.Random(int(seed))
    services = Services(Settings(public_url="http://lrs.example"), open_store(folder))
    who = Provider("writer", frozenset({"all"}), "acme", {"account": {"homePage": "http://lrs.example", "name": "writer"}})
    while True:
        batch = [{"id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
                  "actor": {"mbox": f"mailto:{chance.choice('ab')}@x.example"},
                  "verb": {"id": "http://x.example/did"}, "object": {"id": "http://x.example/a"}} for _ in range(chance.randrange(1, 4))]
        gone = [to_void.pop()] if to_void and chance.random() < 0.3 else []
        batch += [{"actor": {"mbox": "mailto:a@x.example"}, "verb": {"id": VOIDED}, "object": {"objectType": "StatementRef", "id": one}}
                  for one in gone]
        accept(services, json.dumps(batch).encode(), who)
        print(*gone, flush=True)
        if sys.stdin.readline() != "on\n":
            return


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
