"""kill -9 of any process at any instant, under load: nothing acknowledged is lost, nothing owed is lost or doubled."""
from __future__ import annotations

import json
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from campaign import ledger
from campaign.receiver import Receiver
from campaign.served import Served, must, serving
from campaign.witness import PEOPLE, Client, FeedReader, Follower, Known, person
from lrs.completions.model import Person
from lrs.store.protocols.work import TargetRow
from workers.connectors.registry import new_secret, settings_for

WEIGHTS = {"web": 3, "worker": 3, "supervisor": 2, "all": 2}
TARGET = "witness"


def run(folder: Path, seed: int, cycles: int = 200, clients: int = 4, pause: float = 0.05, exports: int = 20) -> str:
    """One campaign of so many kills; what was seen, as a sentence. Raises `Broken`.

    Exports are killed half-way too, so many. The receiver takes a moment, so that kills meet deliveries that are under way.
    """
    with serving(folder, {"LRS_LOG_LEVEL": "error"}) as served:
        return audited(served, folder, seed, cycles, clients, pause, exports)


def audited(served: Served, folder: Path, seed: int, cycles: int, clients: int, pause: float, exports: int,
            who: Mapping[str, int] = WEIGHTS) -> str:
    """Start it, kill as chance has it among `who` (by weights), and hold what is there against what the witnesses know."""
    draw = random.Random(seed)
    receiver = Receiver(pause=0.02)
    try:
        _directory(served, receiver)
        served.start()
        known, stop = Known(), threading.Event()
        follower, reader = Follower(served, stop), FeedReader(served, stop)
        threads = [*(Client(n, seed, served, known, stop, pause) for n in range(clients)), follower, reader]
        for thread in threads:
            thread.start()
        killed: Counter[str] = Counter()
        halves = 0
        for cycle in range(cycles):
            time.sleep(draw.uniform(0.01, 0.5))
            must(not known.wrong, f"cycle {cycle}: {known.wrong[:1]}")
            if exports and cycle % max(1, cycles // exports) == 0:
                halves += _kill_export(served, folder / f"export-{cycle}", draw)
            one = draw.choices(tuple(who), tuple(who.values()))[0]
            served.kill(one)
            killed[one] += 1
        time.sleep(0.5)
        stop.set()
        for thread in threads:
            thread.join(60)
            must(not thread.is_alive(), f"{thread.name} hangs")
        must(not known.wrong, f"{known.wrong[:1]}")
        stored = ledger.statements(served, known)
        asked = ledger.filters(served, known, stored, seed)
        ledger.followed(follower, stored)
        deliveries, suspects = ledger.onward(served, stored, receiver, TARGET, reader)
        ledger.exported(served, stored, folder / "export")
        served.verify()
        must(known.acknowledged, "something was acknowledged at all")
        repeats = sum(times - 1 for times in receiver.times().values())
        kinds = ", ".join(f"{n} {name}" for name, n in sorted(killed.items()))
        return (f"{sum(killed.values())} kills ({kinds}), {len(known.acknowledged)} statements acknowledged in "
                f"{len(known.groups)} batches and singly, {known.unanswered} requests cut off and repeated, "
                f"{known.unavailable} answered 503 and repeated, {len(stored)} stored, "
                f"{len(known.voided)} voided, {asked} questions, {deliveries} deliveries with {repeats} repeats "
                f"({suspects} went alone, as two workers in a row had been killed over them), none dead, "
                f"{halves} exports killed half-way: nothing lost, nothing doubled")
    finally:
        receiver.close()


def _directory(served: Served, receiver: Receiver) -> None:
    with served.store() as store:
        store.directory.put_people([Person(f"{n}", identifiers=(person(n)["mbox"].replace("mailto:", "mbox:"),)) for n in range(PEOPLE)])
        given = {"url": f"http://127.0.0.1:{receiver.port}/", "secret": new_secret(), "allow_private": "true"}
        store.work.add_target(TargetRow(TARGET, "webhook", settings_for("webhook", given)))


def _kill_export(served: Served, folder: Path, draw: random.Random) -> int:
    """Kill an export at some instant: what stands there under the final name is whole. 1 if it was cut off."""
    process = subprocess.Popen(ledger.export_command(folder, raw=True), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=served.environ)
    time.sleep(draw.uniform(0.3, 1.5))
    process.kill()
    cut = process.wait() != 0
    file = folder / "statements.ndjson"
    if file.exists():
        text = file.read_text()
        must(text.endswith("\n") or not text, f"{file} ends in the middle of a row")
        seqs = [json.loads(line)["seq"] for line in text.splitlines()]
        with served.store() as store:
            records = store.statements.follow(0, len(seqs))
        must(seqs == [one.seq for one in records], f"{file} is named as if whole and leaves statements out")
    return int(cut)
