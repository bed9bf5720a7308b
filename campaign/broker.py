"""The broker away for minutes under load: no write fails, every owed delivery is made, the backlog drains at the target's pace."""
from __future__ import annotations

import bisect
import contextlib
import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from campaign.plot import Line, Span, svg
from campaign.production import running
from campaign.receiver import Came, Receiver
from campaign.served import Served, must, serving, until
from campaign.servers import Redis
from lrs.completions.model import Course, Person
from lrs.store.protocols.work import TargetRow
from workers.broker import queue_name
from workers.connectors.registry import new_secret, settings_for
from workers.consumers import CONSUMERS

TARGET, COURSE = "witness", "https://courses.acme.example/broker/{}"
RATE, BURST, IN_FLIGHT = 50, 10, 4
"""The target's own settings: calls a second, calls at once after a rest, calls in flight."""
REVISIONS = (("completed", None), ("passed", 0.5), ("passed", 0.9))
"""What is said of each achievement, one after the other: each owes a delivery of its own."""
BEFORE, AFTER = 5.0, 5.0
"""Seconds of load with the broker there, before and after it is away."""
OVERTAKEN_SECONDS = 10.0
"""No event may come before one whose statement was acknowledged so much earlier."""
MESSAGES_MAX = 8
"""Alarm clocks of one kind that may wait: one for each process that could ring at the same moment."""

Key = tuple[str, str, int]
"""Employee id, course, revision."""


@dataclass
class Load:
    """What the clients saw: when each statement was acknowledged, and every write that was not answered with 200."""

    acknowledged: dict[Key, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    slowest: float = 0.0


def run(folder: Path, seed: int, cycles: int = 600, clients: int = 2, pause: float = 0.12, workers: int = 2, *,
        mongo: bool = False) -> str:
    """The broker is away for `cycles` seconds, the first half silent, the second killed, and comes back empty. What was seen,
    as a sentence; the plot is left beside `folder`. `mongo`: on the whole production path. Raises `Broken`."""
    receiver, load, stop = Receiver(pause=0.005), Load(), threading.Event()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "parts.log").open("ab") as log, contextlib.ExitStack() as stack:
        stack.callback(receiver.close)
        redis = Redis(folder, log)
        stack.callback(redis.kill)
        served: Served = stack.enter_context(
            running(folder, log, redis, "warning") if mongo else
            serving(folder / "lrs", {"LRS_LOG_LEVEL": "warning", "LRS_BROKER_URL": redis.url}))
        _directory(served, receiver)
        if not mongo:
            stack.enter_context(_celery(served, redis, log, workers))  # before: it is not ready while nobody is at work
        served.start()
        began = time.time()
        threads = [threading.Thread(target=_client, args=(served, load, stop, n, seed, pause), daemon=True) for n in range(clients)]
        stack.callback(stop.set)
        for thread in threads:
            thread.start()
        until(lambda: receiver.came, 60, "deliveries are made before the broker goes")
        time.sleep(BEFORE)
        away = time.time()
        redis.hole()
        time.sleep(cycles / 2)
        killed = time.time()
        redis.kill()
        time.sleep(cycles / 2)
        redis.start()
        back, backlog = time.time(), len(load.acknowledged) - len(receiver.came)
        waiting = _most_waiting(redis, AFTER)
        stop.set()
        for thread in threads:
            thread.join(60)
            must(not thread.is_alive(), "a client hangs")
        must(not load.failed, f"{len(load.failed)} writes failed, e.g. {load.failed[:1]}")
        until(lambda: len(receiver.times()) >= len(load.acknowledged), 120 + 2 * len(load.acknowledged) / RATE,
              "every delivery is made; now",
              lambda: f"{len(receiver.times())} of {len(load.acknowledged)}")
        with served.store() as store:
            until(lambda: set(store.work.count_by_state()) == {"delivered"}, 30, "each is recorded; now", store.work.count_by_state)
    must(waiting <= MESSAGES_MAX, f"{waiting} messages of one kind waited in the broker")
    overtaken, peak = _audit(receiver.came, load, back)
    drained = next(came.at for came in reversed(receiver.came)) - back
    plot = folder.parent / f"broker{'-mongo' * mongo}-{cycles}s.svg"
    plot.write_text(_plot(receiver.came, load, began, away, killed, back))
    return (f"broker away for {back - away:.0f} s (silent, then killed, back empty) under {len(load.acknowledged)} writes: 0 failed, "
            f"the slowest "
            f"{load.slowest:.2f} s; {len(receiver.came)} requests for {len(receiver.times())} deliveries, none lost, none under two ids, "
            f"revisions in order; {backlog} waited at its return and were made within {drained:.0f} s, none overtaken by more than "
            f"{overtaken:.1f} s; at most {peak} attempts in a second (rate {RATE}, burst {BURST}), at most {waiting} messages "
            f"in a queue; {plot}")


def _directory(served: Served, receiver: Receiver) -> None:
    with served.store() as store:
        store.directory.put_courses([Course(COURSE.format(n)) for n in range(200)])
        store.directory.put_people([Person(f"{n}", identifiers=(f"mbox:person{n}@acme.example",)) for n in range(400)])
        given = {"url": f"http://127.0.0.1:{receiver.port}/", "secret": new_secret(), "allow_private": "true",
                 "rate_per_second": str(RATE), "burst": str(BURST), "in_flight": str(IN_FLIGHT)}
        store.work.add_target(TargetRow(TARGET, "webhook", settings_for("webhook", given)))


@contextlib.contextmanager
def _celery(served: Served, redis: Redis, log: IO[bytes], workers: int) -> Iterator[None]:
    """Workers and a beat, as an operator starts them; at the end they are told to stop, and do."""
    environ = {**os.environ, "LRS_DATA": str(served.data), "LRS_BROKER_URL": redis.url, "LRS_LOG_LEVEL": "warning"}
    command = [str(Path(sys.executable).with_name("celery")), "-A", "workers.app"]
    named = [*(["worker", "-n", f"w{n}"] for n in range(workers)), ["beat"]]
    processes = [subprocess.Popen(command + words, env=environ, cwd=Path(__file__).parents[1], stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log) for words in named]
    try:
        yield
        must(all(process.poll() is None for process in processes), "workers and beat outlive the broker")
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def _client(served: Served, load: Load, stop: threading.Event, number: int, seed: int, pause: float) -> None:
    draw, call, nth = random.Random(seed * 1009 + number), served.sender(30), 0
    while not stop.is_set():
        person, course = str(2 * (nth % 200) + number % 2), COURSE.format(nth // 200)
        nth += 1
        for revision, (verb, score) in enumerate(REVISIONS, 1):
            said = {"actor": {"mbox": f"mailto:person{person}@acme.example"}, "object": {"id": course},
                    "verb": {"id": f"http://adlnet.gov/expapi/verbs/{verb}"}} | ({"result": {"score": {"scaled": score}}} if score else {})
            began = time.time()
            try:
                answer = call("POST", "/xapi/statements", json.dumps(said).encode())
                if answer.status != 200:
                    load.failed.append(str(answer))
            except (OSError, http.client.HTTPException) as fault:
                load.failed.append(f"{type(fault).__name__}: {fault}")
            load.acknowledged[person, course, revision] = time.time()
            load.slowest = max(load.slowest, time.time() - began)
            time.sleep(draw.uniform(0.5, 1.5) * pause)
    call.close()


def _most_waiting(redis: Redis, seconds: float) -> int:
    """The most messages seen in one queue while the broker is young again."""
    import redis as driver

    client, end, most = driver.Redis(port=redis.port, socket_timeout=5), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        most = max(most, *(int(client.llen(queue_name(name))) for name in CONSUMERS))  # type: ignore[arg-type]
        time.sleep(0.02)
    return most


def _key(came: Came) -> Key:
    must(came.body is not None, "the request was read")
    body = came.body or {}
    return body["user"]["externalId"], body["course"]["id"], body["revision"]


def _audit(came: list[Came], load: Load, back: float) -> tuple[float, int]:
    """Everything owed came, nothing else, in order, within the target's pace. By how many seconds something was overtaken at
    most, and the most attempts in a second after the broker's return."""
    must({_key(one) for one in came} == load.acknowledged.keys(), "owed and did not come, or the reverse")
    must(len({(_key(one), one.id) for one in came}) == len(load.acknowledged), "an event came under two webhook-ids")
    revisions: dict[tuple[str, str], list[int]] = {}
    latest, overtaken = 0.0, 0.0
    for one in came:
        person, course, revision = _key(one)
        revisions.setdefault((person, course), []).append(revision)
        posted = load.acknowledged[person, course, revision]
        latest, overtaken = max(latest, posted), max(overtaken, latest - posted)
    must(all(found == sorted(found) for found in revisions.values()), "revisions of an achievement came out of order")
    must(overtaken <= OVERTAKEN_SECONDS, f"an event was overtaken by one that was acknowledged {overtaken:.1f} s later")
    after = [one.at for one in came if one.at >= back]
    for first in range(len(after)):
        for seconds in (0.2, 1.0, 5.0):
            within = bisect.bisect_left(after, after[first] + seconds) - first
            # what is in flight was admitted before the window began
            must(within <= BURST + RATE * seconds + IN_FLIGHT, f"{within} attempts within {seconds} s after the broker's return")
    return overtaken, max((bisect.bisect_left(after, at + 1) - n for n, at in enumerate(after)), default=0)


def _plot(came: list[Came], load: Load, began: float, away: float, killed: float, back: float) -> str:
    arrived = {_key(one): one.at for one in reversed(came)}
    owed = sorted((posted, arrived[key]) for key, posted in load.acknowledged.items())
    ages, attempts = [], []
    for second in range(int(max(arrived.values()) - began) + 2):
        at = began + second
        ages.append((float(second), max((at - posted for posted, arrival in owed if posted <= at < arrival), default=0.0)))
        attempts.append((float(second), float(sum(at - 1 <= one.at < at for one in came))))
    return svg(f"The broker away for {back - away:.0f} s under load",
               [Line("age of the oldest acknowledged statement whose delivery is owed, s", ages), Line("attempts a second", attempts)],
               [Span("silent", away - began, killed - began, "#fbe3b5"), Span("killed", killed - began, back - began, "#f6c4c0")])
