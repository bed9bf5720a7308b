"""The store's disk, files, clock and descriptors fail: 503 and never a lie, and service again without a restart."""
from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlencode

from campaign import faults
from campaign.served import Answer, Caller, Served, must, serving, until

QUIET = {"LRS_LOG_LEVEL": "error"}
AGAIN_SECONDS = 20.0
"""Within so many seconds after the fault all is well again, without a restart."""
HANG_SECONDS = 16.0
"""No answer may take longer while the fault lasts: two waits of five seconds, and the machine's own time."""


@dataclass
class Seen:
    """What clients saw during a fault: statuses, ids acknowledged (`kept`) and refused (`denied`), the longest wait."""

    statuses: Counter[int] = field(default_factory=Counter)
    kept: list[str] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    longest: float = 0.0


def _statement(name: str, size: int = 400) -> str:
    return json.dumps({"id": name, "actor": {"mbox": "mailto:learner@acme.example"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
                       "object": {"id": f"https://courses.acme.example/{name}"}, "result": {"response": "x" * size}})


Ask = Callable[[Caller, str], Answer]


def _attachment(call: Caller, name: str) -> Answer:
    data = name[:1].encode() * 1_200_000  # more than a megabyte, so that it waits in a file; of a few kinds only
    sha2 = hashlib.sha256(data).hexdigest()
    one = json.loads(_statement(name)) | {"attachments": [{
        "usageType": "http://id.tincanapi.com/attachment/supporting_media", "display": {"en": "a"}, "contentType": "text/plain",
        "length": len(data), "sha2": sha2}]}
    body = (b"--b\r\nContent-Type: application/json\r\n\r\n" + json.dumps(one).encode() + b"\r\n--b\r\nContent-Type: text/plain\r\n"
            b"Content-Transfer-Encoding: binary\r\nX-Experience-API-Hash: " + sha2.encode() + b"\r\n\r\n" + data + b"\r\n--b--\r\n")
    return call("POST", "/xapi/statements", body, Content_Type="multipart/mixed; boundary=b")


WRITES: dict[str, Ask] = {
    "one": lambda call, name: call("POST", "/xapi/statements", _statement(name).encode()),
    "put": lambda call, name: call("PUT", f"/xapi/statements?statementId={name}", _statement(name).encode()),
    "large": lambda call, name: call("POST", "/xapi/statements", _statement(name, 100_000).encode()),
    "attachment": _attachment,
}
"""Each stores one statement of this id."""
STATE = "/xapi/activities/state?" + urlencode({"activityId": "http://a.example", "agent": '{"mbox":"mailto:a@b.example"}', "stateId": ""})
OTHERS: dict[str, Ask] = {
    "state": lambda call, name: call("PUT", STATE + name, b"{}"),
    "page": lambda call, name: call("GET", "/xapi/statements?limit=5"),
    "filtered": lambda call, name: call("GET", "/xapi/statements?verb=http%3A%2F%2Fadlnet.gov%2Fexpapi%2Fverbs%2Fcompleted&limit=5"),
    "feed": lambda call, name: call("GET", "/feeds/completions"),
    "ready": lambda call, name: call("GET", "/health/ready"),
    "export": lambda call, name: call("GET", "/api/v1/exports/facts?format=ndjson"),
    "agents": lambda call, name: call("GET", "/xapi/agents?agent=%7B%22mbox%22%3A%22mailto%3Alearner%40acme.example%22%7D"),
}


def ask_everything(served: Served, seen: Seen, seconds: float, draw: random.Random, callers: int = 4) -> None:
    """Several clients ask for everything for so long."""
    end = time.monotonic() + seconds
    lines = [served.caller(HANG_SECONDS + 10) for _ in range(callers)]
    for line in lines:  # open now: where no descriptor is left no new connection can be
        line("GET", "/health/live")

    def work(call: Caller, chance: random.Random) -> None:
        while time.monotonic() < end:
            kind = chance.choice([*WRITES, *WRITES, *OTHERS])
            name = str(uuid.UUID(int=chance.getrandbits(128), version=4))
            began = time.monotonic()
            try:
                answer = (WRITES | OTHERS)[kind](call, name)
            except (OSError, http.client.HTTPException) as fault:
                seen.silent.append(f"{kind}: {type(fault).__name__}: {fault}")
                time.sleep(0.05)
                continue
            seen.longest = max(seen.longest, time.monotonic() - began)
            seen.statuses[answer.status] += 1
            _judge(seen, kind, name, answer)
            time.sleep(0.005)

    threads = [threading.Thread(target=work, args=(line, random.Random(draw.getrandbits(64))), daemon=True) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 2 * HANG_SECONDS)
        must(not thread.is_alive(), "a request hangs")


def _judge(seen: Seen, kind: str, name: str, answer: Answer) -> None:
    if answer.status in (200, 204):
        if kind in WRITES:
            seen.kept.append(name)
    elif answer.status == 503:
        told = json.loads(answer.body)
        clear = told.get("reasons") if kind == "ready" and "reasons" in told else told.get("status") == 503 and told.get("message")
        if not clear or "retry-after" not in answer.headers:
            seen.wrong.append(f"{kind}: a 503 that is not clear: {answer} {answer.headers}")
        if kind in WRITES:
            seen.denied.append(name)
    else:
        seen.wrong.append(f"{kind}: {answer}")


Fault = Callable[[Served], AbstractContextManager[None]]


def suffer(served: Served, name: str, fault: Fault, seconds: float, draw: random.Random, *, blocks: bool = True) -> str:
    """One fault on a healthy LRS: asked before, during and after. `blocks`: writes must be refused while it lasts."""
    pids = served.pid("web"), served.pid("worker")
    before, during, after = Seen(), Seen(), Seen()
    ask_everything(served, before, min(1.0, seconds), draw)
    must(set(before.statuses) <= {200, 204}, f"{name}: before it: {before.statuses} {before.wrong[:2]}")
    with fault(served):
        ask_everything(served, during, seconds, draw)
    must(not during.wrong, f"{name}: {during.wrong[:2]}")
    must(during.longest < HANG_SECONDS, f"{name}: an answer took {during.longest:.1f} s")
    must(not blocks or during.statuses[503], f"{name}: was to make writes fail, and did not: {during.statuses}")
    began = time.monotonic()
    until(lambda: _well(served), AGAIN_SECONDS, f"{name}: normal service without a restart")
    again = time.monotonic() - began
    must((served.pid("web"), served.pid("worker")) == pids, f"{name}: a process was started again")
    ask_everything(served, after, min(1.0, seconds), draw)
    must(set(after.statuses) <= {200, 204} and not after.silent, f"{name}: after it: {after.statuses} {after.wrong[:2]} {after.silent[:2]}")
    _kept(served, [*before.kept, *during.kept, *after.kept], during.denied, name)
    return f"{name}: {during.statuses[503]} × 503, {during.statuses[200] + during.statuses[204]} × 2xx, well again after {again:.1f} s"


def _well(served: Served) -> bool:
    call = served.caller(5)
    try:
        name = str(uuid.uuid4())
        return WRITES["one"](call, name).status == 200 and OTHERS["page"](call, name).status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        call.close()


def _kept(served: Served, kept: list[str], denied: list[str], name: str) -> None:
    with served.store() as store:
        lost = [one for one in kept if store.statements.get(one) is None]
        must(not lost, f"{name}: {len(lost)} of {len(kept)} acknowledged statements are not there, e.g. {lost[:2]}")
        there = [one for one in denied if store.statements.get(one) is not None]
        must(not there, f"{name}: {len(there)} statements are there whose sender was told that nothing was stored")


def run(folder: Path, seed: int, cycles: int = 3, seconds: float = 8.0, *, cut: bool = False, parts: Sequence[str] = ()) -> str:
    """Every fault (of these `PARTS`), `cycles` times, each for so many seconds; `cut`: of two that are alike only one. What
    was seen, as sentences. Raises `Broken`."""
    draw = random.Random(seed)
    said = []
    for cycle in range(cycles):
        for name in parts or PARTS:
            began = time.monotonic()
            for one in PARTS[name](folder / str(cycle) / name, draw, seconds, cut):
                said.append(f"{one} ({time.monotonic() - began:.0f} s)")
                began = time.monotonic()
    return "\n  ".join(["", *said])


def _disk(folder: Path, draw: random.Random, seconds: float, cut: bool) -> Iterator[str]:
    mounts = faults.may_mount()
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(faults.small_disk(folder)) if mounts else folder
        served = stack.enter_context(serving(place, QUIET))
        served.start()
        yield suffer(served, "disk full" if mounts else "files full (nothing can be mounted here)",
                     faults.disk_full if mounts else faults.files_full, seconds, draw)
        if mounts and not cut:
            yield suffer(served, "files may not grow", faults.files_full, seconds, draw)
        served.kill("all")
        yield _again(served, "… and after kill -9")


def _files(folder: Path, draw: random.Random, seconds: float, cut: bool) -> Iterator[str]:
    with serving(folder, QUIET) as served:
        served.start()
        if faults.may_freeze(served.data):
            yield suffer(served, "files read-only", faults.read_only, seconds, draw)
        else:
            yield "files read-only: not run, nothing can be made immutable here"
        yield suffer(served, "descriptors used up", faults.no_descriptors, seconds, draw, blocks=False)
        served.kill("all")
        yield _again(served, "… and after kill -9")


def _locks(folder: Path, draw: random.Random, seconds: float, cut: bool) -> Iterator[str]:
    locks = [("locked by another program", faults.locked), ("a process of ours stuck in its turn", faults.stuck)]
    with serving(folder, QUIET) as served:
        served.start()
        for name, fault in draw.sample(locks, 1) if cut else locks:
            yield suffer(served, name, fault, seconds, draw)
        served.verify()


def _again(served: Served, name: str) -> str:
    must(_well(served), f"{name}: it serves")
    for file in served.data.glob("*.db"):
        must(faults.sound(file), f"{name}: {file.name} is damaged")
    served.verify()
    return f"{name}: it serves, its files are sound, and so is what is in them"


def _torn(folder: Path, draw: random.Random, seconds: float, cut: bool) -> Iterator[str]:
    """The write-ahead log ends in the middle of a write: what was acknowledged is there, nothing is there by half."""
    for how, tear in (("a torn write behind the last commit", _torn_behind), ("its last frames lost or garbled", _torn_within)):
        with serving(folder / how.replace(" ", "-"), QUIET) as served:
            served.start()
            kept = _batches(served, 12, draw)
            served.kill_for_good()
            promised = tear(served.data / "statements.db-wal", draw)
            served.start()
            with served.store() as store:
                there = [[store.statements.get(name) is not None for name in batch] for batch in kept]
            must(all(len(set(batch)) == 1 for batch in there), f"{how}: half a batch is there")
            whole = [batch[0] for batch in there]
            must(whole == sorted(whole, reverse=True), f"{how}: an older batch is gone and a younger one is there")
            must(not promised or all(whole), f"{how}: {whole.count(False)} acknowledged batches are gone")
            _batches(served, 2, draw)
            _again(served, how)
            served.verify()
            yield f"torn WAL, {how}: {whole.count(True)} of {len(whole)} batches there, none by half, it serves"


def _batches(served: Served, count: int, draw: random.Random) -> list[list[str]]:
    call, kept = served.caller(), []
    for _ in range(count):
        names = [str(uuid.UUID(int=draw.getrandbits(128), version=4)) for _ in range(20)]
        answer = call("POST", "/xapi/statements", ("[" + ",".join(map(_statement, names)) + "]").encode())
        must(answer.status == 200, f"a batch: {answer}")
        kept.append(names)
    call.close()
    return kept


def _torn_behind(wal: Path, draw: random.Random) -> bool:
    """Frames of a write that was under way and never acknowledged, cut and garbled; all that was acknowledged must stay."""
    size, count = faults.frames(wal)
    data = wal.read_bytes()
    end = 32 + count * (24 + size)
    frame = bytearray(data[end - 24 - size:end])  # looks right, and its checksum does not fit where it stands now
    frame[24 + draw.randrange(size)] ^= 0x55
    wal.write_bytes(data[:end] + bytes(frame) * 3 + draw.randbytes(draw.randrange(1, size)))
    return True


def _torn_within(wal: Path, draw: random.Random) -> bool:
    """A disk that lied about its last writes: what it lost is gone; nothing else may be, and nothing may be there by half."""
    size, count = faults.frames(wal)
    at = 32 + max(0, count - draw.randint(2, 30)) * (24 + size) + draw.randrange(24 + size)
    data = bytearray(wal.read_bytes())
    if draw.random() < 0.5:
        wal.write_bytes(data[:at])
    else:
        data[at:at + 500] = draw.randbytes(500)
        wal.write_bytes(data)
    return False


def _clock_back(folder: Path, draw: random.Random, seconds: float, cut: bool) -> Iterator[str]:
    """The wall clock steps back an hour: times go on rising, nothing fails."""
    folder.mkdir(parents=True)
    stepped = faults.stepped_clock(folder)
    if stepped is None:
        yield "clock back an hour: not run, there is no C compiler for the library that steps it"
        return
    with serving(folder, QUIET | stepped) as served:
        served.start()
        before = _stored(served, 3)
        (folder / "offset").write_text("-3600")
        seen = Seen()
        must(_wall(served) < time.time() - 3000, "the clock of the processes was stepped")
        ask_everything(served, seen, seconds, draw)
        must(set(seen.statuses) <= {200, 204} and not seen.wrong and not seen.silent, f"clock back: {seen.statuses} {seen.wrong[:2]}")
        after = _stored(served, 3)
        must(before == sorted(set(before)) and after == sorted(set(after)) and before[-1] < after[0], f"times go back: {before} {after}")
        _kept(served, seen.kept, [], "clock back")
        served.verify()
        yield f"clock back an hour: {sum(seen.statuses.values())} answers, all good, stored times go on rising"


PARTS = {"disk": _disk, "files": _files, "locks": _locks, "torn": _torn, "clock": _clock_back}


def _stored(served: Served, count: int) -> list[str]:
    """The `stored` times of so many new statements, then how far the log is consistent, each read when it was there."""
    call, times = served.caller(), []
    for _ in range(count):
        name = str(uuid.uuid4())
        must(WRITES["one"](call, name).status == 200, "a statement is taken")
        answer = call("GET", f"/xapi/statements?statementId={name}")
        times.append(json.loads(answer.body)["stored"])
        through = call("GET", "/xapi/statements?limit=1").headers["x-experience-api-consistent-through"]
        must(through >= times[-1], f"consistent through {through}, and {times[-1]} is there")
    call.close()
    return times


def _wall(served: Served) -> float:
    """What the web process takes for the time (s since 1970), by the time of a new document."""
    call, name = served.caller(), str(uuid.uuid4())
    OTHERS["state"](call, name)
    written = call("GET", STATE + name).headers["last-modified"]
    call.close()
    return parsedate_to_datetime(written).timestamp()
