"""Hostile input: a grammar's mutations over every route, then floods; no 5xx, no hang, and others are served meanwhile."""
from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from campaign import floods
from campaign.grammar import Request, requests
from campaign.served import SCOPES, Broken, must, serving
from campaign.wire import over_the_wire
from lrs.app import create_app
from lrs.auth import credentials
from lrs.config import Limits, Settings
from lrs.serve.gateway import call
from lrs.services import Services
from lrs.store.open_store import open_store

HANG_SECONDS = 5.0
WIRE_SHARE = 50
"""One in so many requests goes through a real server."""
RENEWED = 25_000
"""After so many requests the store is a new one, so that the last meets what the first met."""
SHAPE = {"status", "code", "message", "request_id"}


def run(folder: Path, seed: int, cycles: int = 200_000) -> str:
    """So many mutated requests, a fiftieth of them over a real server; then the floods. Raises `Broken`."""
    wire = max(50, cycles // WIRE_SHARE)
    within = fuzz(folder, seed, cycles - wire)
    with serving(folder / "wire", {"LRS_LOG_LEVEL": "error", "LRS_BODY_SECONDS": "4"}) as served:
        served.start()
        outside = over_the_wire(served, seed, wire)
        flood = list(floods.all_of_them(served))
        must(served.caller()("GET", "/health/ready").status == 200, "it serves after all that")
    return "\n  ".join(["", within, outside, *flood])


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing is logged meanwhile: hundreds of thousands of refusals would be."""
    root = logging.getLogger()
    was = root.level
    root.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        root.setLevel(was)


@quiet()
def fuzz(folder: Path, seed: int, count: int) -> str:
    """`count` requests through the application's WSGI entry."""
    statuses: Counter[int] = Counter()
    slowest, routes = 0.0, 0
    for start in range(0, count, RENEWED):
        with contextlib.closing(open_store(folder / f"fuzz-{start}")) as store:
            made = credentials.create(store.credentials, name="Fuzz", public_url="http://lrs.example", scopes=SCOPES, key="fuzz")
            # small limits: their refusals are met as often as what they let through
            settings = Settings(data=folder, public_url="http://lrs.example", limits=Limits(body_max=200_000, statement_max=100_000))
            app = create_app(Services(settings, store))
            routes = len({rule.rule for rule in app.url_map.iter_rules()})
            nth = requests(app.url_map, made.credential.key, made.secret, seed)
            for n in range(start, min(start + RENEWED, count)):
                one = nth(n)
                began = time.monotonic()
                try:
                    answer = call(app.wsgi_app, environ(one))
                    body = answer.body + b"".join(answer.rest or ())
                except Exception as fault:
                    raise Broken(f"request {n} of seed {seed} raised {type(fault).__name__}: {fault}\n{one.printed()}") from fault
                took = time.monotonic() - began
                slowest = max(slowest, took)
                statuses[answer.status] += 1
                wrong = judged(one, answer.status, body, took)
                must(not wrong, f"request {n} of seed {seed}: {wrong}\n{one.printed()}")
    told = ", ".join(f"{n} × {status}" for status, n in sorted(statuses.items()))
    return (f"{count} mutated requests over {routes} routes: {told}; none 5xx but of /health/ready, which finds no worker there; "
            f"the slowest {slowest * 1000:.0f} ms")


def judged(one: Request, status: int, body: bytes, took: float) -> str:
    """What is wrong with an answer, '' if nothing: 5xx, too late, or a refusal that is not in the one legible shape."""
    if status == 503 and one.path.startswith("/health/ready"):
        return ""  # an answer: no worker runs beside the application here
    if status >= 500:
        return f"answered {status}: {body[:500]!r}"
    if took > HANG_SECONDS:
        return f"took {took:.1f} s"
    if status >= 400 and one.method != "HEAD":
        try:
            told = json.loads(body)
        except ValueError:
            return f"a {status} that is no JSON: {body[:300]!r}"
        if not isinstance(told, dict) or not told.keys() >= SHAPE or not str(told["message"]).strip():
            return f"a {status} without what a refusal tells: {body[:300]!r}"
    return ""


def environ(one: Request) -> dict[str, Any]:
    """The WSGI environ (PEP 3333) as `lrs.serve.gateway` makes it of a request on the wire."""
    made: dict[str, Any] = {
        "REQUEST_METHOD": one.method, "SCRIPT_NAME": "", "PATH_INFO": one.path.encode("utf-8", "surrogatepass").decode("latin-1"),
        "QUERY_STRING": one.query.encode("ascii", "replace").decode(), "SERVER_NAME": "lrs.example", "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "CONTENT_LENGTH": str(len(one.body)), "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(one.body), "wsgi.errors": sys.stderr, "wsgi.multithread": True,
        "wsgi.multiprocess": False, "wsgi.run_once": False, "wsgi.input_terminated": True, "HTTP_HOST": "lrs.example"}
    for name, value in one.headers:
        key = name.upper().replace("-", "_")
        made[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return made
