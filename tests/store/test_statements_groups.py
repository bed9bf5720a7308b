"""Requests that are committed in one transaction: each of them is stored whole or refused, whatever becomes of the others."""
from __future__ import annotations

import threading
import time

from lrs.errors import Conflict, Forbidden


def test_in_one_group_each_request_is_whole_or_refused_by_itself(open_statements, make, equal):
    store = open_statements()
    known, foreign = make(), make(provider="other")
    store.add([known, foreign], equal)
    batches = {
        "plain": [make(), make()],
        "conflict half-way": [make(), make(known.id, body=b"another")],
        "refers": [make(), make(target=known.id), make()],
        "forbidden half-way": [make(), make(target=foreign.id, void=True), make()],
        "known": [make(), known],
        "conflict behind a reference": [make(target=known.id), make(known.id, body=b"another")],
        "last": [make()],
    }
    under_way, others_wait, ended = threading.Event(), threading.Event(), {}

    def slowly(stored, received):
        under_way.set()
        others_wait.wait(20)
        return equal(stored, received)

    def add(name, batch, equal=equal):
        try:
            ended[name] = store.add(batch, equal)
        except (Conflict, Forbidden) as error:
            ended[name] = error

    threads = [threading.Thread(target=add, args=("first", [known], slowly))]
    threads[0].start()
    assert under_way.wait(20)
    for name, batch in batches.items():
        threads.append(threading.Thread(target=add, args=(name, batch)))
        threads[-1].start()
        time.sleep(0.02)  # so that they wait, mostly in this order: what is promised holds in any
    others_wait.set()
    for thread in threads:
        thread.join(30)
    refused = {name: type(end) for name, end in ended.items() if isinstance(end, Exception)}
    assert refused == {"conflict half-way": Conflict, "forbidden half-way": Forbidden, "conflict behind a reference": Conflict}
    stored = {known.id, foreign.id} | {new.id for name, batch in batches.items() if name not in refused for new in batch}
    assert {record.id for record in store.follow(0, 100)} == stored
    given = [[one.seq for one in ended[name] if not one.repeated] for name in batches if name not in refused]
    assert all(seqs == sorted(seqs) for seqs in given)
    assert len({seq for seqs in given for seq in seqs}) == sum(map(len, given))
    assert not store.get(foreign.id).voided
    assert [one.repeated for one in ended["known"]] == [False, True]
