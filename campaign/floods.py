"""Floods: what is large, deep, long or slow is refused early and legibly, and others are served meanwhile."""
from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import threading
import time
import uuid
import zlib
from collections import Counter
from collections.abc import Iterator
from statistics import median, quantiles

import psutil

from campaign.served import Caller, Served, must

GIGABYTE = 2**30
UPLOADS = 500
BAD_RATE = 1_000
REFUSED_SECONDS = 8.0
"""The campaign's LRS gives a body four seconds."""
MEMORY_MB = 150
"""The most that a flood may add to the web process."""


def all_of_them(served: Served, *, uploads: int = UPLOADS, seconds: float = 6.0) -> Iterator[str]:
    """Each flood in turn; what was seen, a sentence each. Raises `Broken`."""
    yield _refused(served, "a gzip bomb of 1 GB", bomb, (413,))
    yield _refused(served, "a body of 1 GB", gigabyte, (413,))
    yield _refused(served, "JSON 100 000 levels deep", deep, (400, 413))
    yield _refused(served, "10 000 headers", headers, (400, 431))
    yield slow_uploads(served, uploads)
    yield bad_beside_good(served, seconds)


def _refused(served: Served, name: str, send: object, statuses: tuple[int, ...]) -> str:
    before, began = _memory(served), time.monotonic()
    answered: list[float] = []
    stop = threading.Event()
    others = threading.Thread(target=_others, args=(served, stop, answered), daemon=True)
    others.start()
    status, body = send(served)  # type: ignore[operator]
    took = time.monotonic() - began
    stop.set()
    others.join(30)
    must(status in statuses, f"{name}: answered {status} {body[:300]!r}")
    must(status == 431 or json.loads(body)["message"], f"{name}: refused illegibly: {body[:300]!r}")
    must(took < REFUSED_SECONDS, f"{name}: refused after {took:.1f} s")
    grown = _memory(served) - before
    must(grown < MEMORY_MB, f"{name}: the web process grew by {grown:.0f} MB")
    must(max(answered, default=0) < 3, f"{name}: others waited {max(answered, default=0):.1f} s")
    waited = max(answered, default=0.0) * 1000
    return f"{name}: {status} after {took:.2f} s, memory +{max(0, grown):.0f} MB, others answered within {waited:.0f} ms"


def _memory(served: Served) -> float:
    return float(psutil.Process(served.pid("web")).memory_info().rss) / 2**20


def _others(served: Served, stop: threading.Event, times: list[float]) -> None:
    call = served.caller(20)
    while not stop.is_set():
        times.append(_good(call))
        time.sleep(0.02)
    call.close()


def _good(call: Caller) -> float:
    """One good request; how long it took (s)."""
    name = str(uuid.uuid4())
    body = json.dumps({"id": name, "actor": {"mbox": "mailto:a@b.example"}, "verb": {"id": "http://v.example"}, "object": {"id": "http://o.example"}})
    began = time.monotonic()
    answer = call("POST", "/xapi/statements", body.encode())
    must(answer.status == 200, f"a good request beside a flood: {answer}")
    return time.monotonic() - began


def head(served: Served, length: int, *more: str) -> bytes:
    """The head of a POST of statements with such a body."""
    return _head(base64.b64encode(f"{served.key}:{served.secret}".encode()).decode(), length, *more)


def _head(basic: str, length: int, *more: str) -> bytes:
    lines = ["POST /xapi/statements HTTP/1.1", "Host: lrs.example", f"Authorization: Basic {basic}", "X-Experience-API-Version: 1.0.3",
             "Content-Type: application/json", f"Content-Length: {length}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _answer(line: socket.socket) -> tuple[int, bytes]:
    got = b""
    while b"\r\n\r\n" not in got:
        piece = line.recv(65536)
        must(piece, "the connection was closed without an answer")
        got += piece
    top, _, body = got.partition(b"\r\n\r\n")
    length = next((int(row[15:]) for row in top.lower().split(b"\r\n") if row.startswith(b"content-length:")), 0)
    while len(body) < length and (piece := line.recv(65536)):
        body += piece
    return int(top[9:12]), body


def bomb(served: Served) -> tuple[int, bytes]:
    """A megabyte of gzip that unpacks to a gigabyte."""
    machine = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = b" " * 2**24
    first, again = (machine.compress(piece) + machine.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    # what follows a full flush refers to nothing before it, so that it can be repeated
    packed = first + again * (GIGABYTE // len(piece) - 1) + machine.flush()
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as line:
        line.sendall(head(served, len(packed), "Content-Encoding: gzip") + packed)
        return _answer(line)


def gigabyte(served: Served) -> tuple[int, bytes]:
    """A body of a gigabyte, made while it is sent; who reads the answer meanwhile may stop."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as line:
        line.sendall(head(served, GIGABYTE))
        piece = b" " * 2**20
        done = threading.Event()

        def send() -> None:
            try:
                for _ in range(GIGABYTE // len(piece)):
                    if done.is_set():
                        return
                    line.sendall(piece)
            except OSError:
                return

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        try:
            return _answer(line)
        finally:
            done.set()


def deep(served: Served) -> tuple[int, bytes]:
    """A statement's extension 100 000 levels deep."""
    body = b'{"actor":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as line:
        line.sendall(head(served, len(body)) + body)
        return _answer(line)


def headers(served: Served) -> tuple[int, bytes]:
    """10 000 headers."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as line:
        line.sendall(head(served, 2, *(f"X-Header-{n}: {n}" for n in range(10_000))) + b"[]")
        return _answer(line)


def slow_uploads(served: Served, count: int) -> str:
    """So many senders that send a byte a second each: all are refused (408), none holds up the others."""
    lines = []
    for _ in range(count):
        line = socket.create_connection(("127.0.0.1", served.port), timeout=30)
        line.sendall(head(served, 100_000) + b"[")
        lines.append(line)
    call = served.caller(20)
    times, until = [], time.monotonic() + 3
    while time.monotonic() < until:
        times.append(_good(call))
        for line in lines[::17]:
            line.sendall(b" ")
        time.sleep(0.05)
    call.close()
    statuses: Counter[int] = Counter()
    for line in lines:
        statuses[_answer(line)[0]] += 1
        line.close()
    must(statuses == {408: count}, f"slow uploads were answered {statuses}")
    must(max(times) < 2, f"others waited {max(times):.1f} s beside slow uploads")
    return f"{count} slow uploads: all 408, others answered within {max(times) * 1000:.0f} ms (median {median(times) * 1000:.0f} ms)"


def bad_beside_good(served: Served, seconds: float) -> str:
    """A thousand bad requests a second (or as many as this machine manages) beside good ones, in turns with silence. The
    bad ones come from a process of their own, under a credential of their own."""
    key, secret = served.sending
    quiet: list[float] = []
    loud: list[float] = []
    sent, lasted = 0, 0.0
    for _ in range(3):
        quiet += _phase(served, seconds / 6)
        command = [sys.executable, "-m", "campaign.floods", str(served.port), key, secret]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as senders:
            must(senders.stdout is not None and senders.stdout.readline() == "sending\n", "the bad senders start")
            began = time.monotonic()
            loud += _phase(served, seconds / 6)
            said, _ = senders.communicate("")
            lasted += time.monotonic() - began
            must(senders.returncode == 0, "the bad senders ended well")
            sent += int(said)
    rate = sent / lasted
    before, beside = median(quiet) * 1000, median(loud) * 1000
    must(beside < 10 * before + 20, f"a good request takes {before:.1f} ms, beside {rate:.0f} bad ones a second {beside:.1f} ms")
    slow = [quantiles(some, n=20)[-1] * 1000 for some in (quiet, loud)]
    return (f"{rate:.0f} bad requests a second: a good one takes {before:.1f} ms without and {beside:.1f} ms beside them "
            f"(ratio {beside / before:.2f}), of twenty the slowest {slow[0]:.1f} and {slow[1]:.1f} ms")


def _phase(served: Served, seconds: float) -> list[float]:
    call, times, until = served.caller(20), [], time.monotonic() + seconds
    while time.monotonic() < until:
        times.append(_good(call))
        time.sleep(0.002)
    call.close()
    return times


def send_bad(port: int, key: str, secret: str, rate: float = BAD_RATE, lines: int = 4) -> int:
    """Bad statements at this rate over several connections until standard input closes; how many were answered."""
    basic = base64.b64encode(f"{key}:{secret}".encode()).decode()
    body = b'{"actor":{"mbox":"nobody"},"verb":{"id":"no iri"},"object":{}}'
    request = _head(basic, len(body)) + body
    stop, counts = threading.Event(), []

    def send() -> None:
        sent = 0
        with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
            began = time.monotonic()
            while not stop.is_set():
                line.sendall(request)
                status, _ = _answer(line)
                must(status in (400, 429), f"a bad request is answered {status}")
                sent += 1
                time.sleep(max(0.0, began + sent * lines / rate - time.monotonic()))
        counts.append(sent)

    senders = [threading.Thread(target=send, daemon=True) for _ in range(lines)]
    for sender in senders:
        sender.start()
    print("sending", flush=True)
    sys.stdin.read()
    stop.set()
    for sender in senders:
        sender.join(20)
    must(len(counts) == lines, "every bad request was answered with 400, or 429")
    return sum(counts)


if __name__ == "__main__":
    print(send_bad(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
