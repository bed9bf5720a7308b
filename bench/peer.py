"""The same load at any xAPI 1.0.3 endpoint, so that anyone can compare."""
from __future__ import annotations

import json
from statistics import median
from urllib.parse import quote

from bench import client
from bench.client import Endpoint
from bench.rows import Table
from bench.statements import SEED, Life


def measure(table: Table, endpoint: Endpoint, runs: int, statements: int, posts: int) -> None:
    """Batches, single POSTs, by id and pages. The endpoint keeps the statements: give it an empty store."""
    first = 0
    for size, clients in ((500, 1), (500, 8), (50, 8), (5, 8)):
        rates = []
        for _ in range(runs):
            n = max(clients, statements // size if size > 5 else statements // size // 4)
            bodies = [Life(SEED, first=first + k * size).batch(size) for k in range(n)]
            first += n * size
            requests = iter([endpoint.request("POST", "/statements", body) for body in bodies])
            rates.append(client.run(endpoint, requests, clients, most=n, seconds=600).rate * size)
        table.add(f"peer.batch{size}.{clients}", f"POST batches of {size}, {clients} clients", rates, "statements/s")
    for clients in (1, 8, 64):
        rates, last = [], []
        for _ in range(runs):
            bodies = [Life(SEED, first=first + k).batch(1)[1:-1] for k in range(posts)]
            first += posts
            load = client.run(endpoint, iter([endpoint.request("POST", "/statements", body) for body in bodies]), clients, most=posts,
                              seconds=600)
            rates.append(load.rate)
            last.append(load.percentile(99))
        table.add(f"peer.single{clients}", f"single POST, {clients} clients", rates, "/s")
        table.add(f"peer.single{clients}.p99", "… p99", last, "ms")
    _, body = client.once(endpoint, "GET", "/statements?limit=100")
    found = json.loads(body)["statements"]
    by_id = [endpoint.request("GET", f"/statements?statementId={found[n % len(found)]['id']}") for n in range(500)]
    table.add("peer.id", "by id, 8 clients", client.run(endpoint, iter(by_id), 8, most=500).rate, "/s")
    one = found[0]
    agent = json.dumps({k: v for k, v in one["actor"].items() if k in ("objectType", "mbox", "account")})
    for name, query in (("newest", ""), ("agent + verb", f"&agent={quote(agent)}&verb={quote(one['verb']['id'])}"),
                        ("related activity", f"&activity={quote(one['object']['id'])}&related_activities=true")):
        load = client.run(endpoint, iter([endpoint.request("GET", f"/statements?limit=100{query}")] * 16), 1, most=16)
        table.add(f"peer.page.{name}", f"page of 100, {name}", median(load.milliseconds[1:]), "ms")
