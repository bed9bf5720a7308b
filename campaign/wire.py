"""Mutated requests as bytes on a real connection, broken below HTTP's own grammar too."""
from __future__ import annotations

import json
import random
import socket
import time
from collections import Counter
from collections.abc import Callable
from urllib.parse import quote

from campaign.grammar import Request, requests
from campaign.served import Served, must
from lrs.app import create_app
from lrs.config import Settings
from lrs.services import Services

ANSWER_SECONDS = 8.0
"""The LRS of the campaign gives a body four seconds."""


def over_the_wire(served: Served, seed: int, count: int) -> str:
    """`count` requests, each on a connection of its own, a third of them with broken framing."""
    with served.store() as store:
        rules = create_app(Services(Settings(data=served.data, public_url="http://lrs.example"), store)).url_map
    nth = requests(rules, served.key, served.secret, seed + 1)
    statuses: Counter[str] = Counter()
    for n in range(count):
        draw = random.Random(f"wire {seed} {n}")
        one = nth(n)
        sent = written(one)
        framing = draw.choice(FRAMINGS) if draw.random() < 0.33 else None
        if framing is not None:
            sent = framing(sent, draw)
        began = time.monotonic()
        status, body = exchange(served.port, sent, ends=framing is not None)
        took = time.monotonic() - began
        again = f"wire request {n} of seed {seed}: {sent[:3000]!r}"
        must(status < 500, f"{status} {body[:300]!r} to {again}")
        must(status or framing is not None, f"no answer to {again}")
        must(took < ANSWER_SECONDS, f"{took:.1f} s for {again}")
        if framing is None and status >= 400 and one.method != "HEAD" and body:
            must("message" in json.loads(body), f"{body[:300]!r} to {again}")
        statuses[str(status) if status else "closed"] += 1
    told = ", ".join(f"{n} × {status}" for status, n in sorted(statuses.items()))
    return f"{count} over a real server, a third with broken framing: {told}"


def written(one: Request) -> bytes:
    """The request's bytes, ended by the connection."""
    target = quote(one.path.encode("utf-8", "surrogatepass"), safe="/%:") + (f"?{one.query}" if one.query else "")
    lines = [f"{one.method} {target} HTTP/1.1".encode("utf-8", "replace").replace(b"\n", b"")]
    if all(name != "Host" for name, _ in one.headers):
        lines.append(b"Host: lrs.example")
    lines += [f"{name}: {value}".encode("latin-1", "replace") for name, value in one.headers if name != "Expect"]
    lines += [b"Content-Length: " + str(len(one.body)).encode(), b"Connection: close"]
    return b"\r\n".join(lines) + b"\r\n\r\n" + one.body


def exchange(port: int, sent: bytes, *, ends: bool) -> tuple[int, bytes]:
    """(status, body); status 0 where the server closed without an answer, as it may only where the sender `ends` too."""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as line:
        got = b""
        try:
            line.sendall(sent)
            if ends:
                line.shutdown(socket.SHUT_WR)
            while piece := line.recv(1 << 20):
                got += piece
        except TimeoutError:
            raise
        except OSError:
            pass  # it was closed under our hands, while we sent or before we ended
    head, _, body = got.partition(b"\r\n\r\n")
    if b"chunked" in head.lower():
        body = b""
    return (int(head[9:12]) if head[:5] == b"HTTP/" else 0), body


def _length(sent: bytes, draw: random.Random) -> bytes:
    said = draw.choice((b"-1", b"x", b"99999999999999999999999", b"0", b"5, 6", b"+5", b"", b"1e3", b"0x10", b"18446744073709551616"))
    return sent.replace(b"Content-Length: ", b"Content-Length: " + said + b"\r\nX-Was: ", 1)


def _chunked(sent: bytes, draw: random.Random) -> bytes:
    head, _, body = sent.partition(b"\r\n\r\n")
    size = draw.choice((b"%x" % len(body), b"-1", b"zz", b"ffffffffffffffff", b"5;" + b"a" * 5000, b""))
    end = draw.choice((b"\r\n0\r\n\r\n", b"", b"\r\n0\r\nTrailer: x\r\n\r\n", b"0"))
    return head.replace(b"Content-Length", b"X-Length") + b"\r\nTransfer-Encoding: " + draw.choice((b"chunked", b"gzip, chunked", b"x")) + (
        b"\r\n\r\n" + size + b"\r\n" + body + end)


def _both(sent: bytes, draw: random.Random) -> bytes:
    return sent.replace(b"Connection: close", b"Transfer-Encoding: chunked", 1)


def _cut(sent: bytes, draw: random.Random) -> bytes:
    return sent[:draw.randrange(len(sent))]


def _noise(sent: bytes, draw: random.Random) -> bytes:
    body = bytearray(sent)
    for _ in range(draw.randint(1, 8)):
        body[draw.randrange(min(len(body), 400))] = draw.randrange(256)
    return bytes(body)


def _twice(sent: bytes, draw: random.Random) -> bytes:
    return sent.replace(b"Connection: close", b"Connection: keep-alive", 1) + sent


def _old(sent: bytes, draw: random.Random) -> bytes:
    return sent.replace(b"HTTP/1.1", draw.choice((b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9", b"http/1.1", b"")), 1)


FRAMINGS: tuple[Callable[[bytes, random.Random], bytes], ...] = (_length, _chunked, _both, _cut, _noise, _twice, _old)
