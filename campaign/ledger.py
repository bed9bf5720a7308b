"""The audit at the end of the kill campaign: what the witnesses know, held against everything the LRS can be asked."""
from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from campaign.receiver import Receiver
from campaign.served import Caller, Served, must, until
from campaign.witness import FeedReader, Follower, Known
from lrs.store.protocols.work import Wanted
from lrs.store.sqlite.deliveries import webhook_id
from workers import partitions

Stored = dict[str, tuple[int, str, bool]]
"""(seq, text, voided) by id."""
OURS = frozenset({"stored", "authority", "version"})
DELIVERED_SECONDS = 600.0
"""After the last kill; how long it takes is not what is tried here."""
SAMPLE = 30
"""Statements that are asked for one by one, and by the time of their storing."""


def members(text: str) -> dict[str, str]:
    """The members of a JSON object by name, each as the exact text it has there. Not the product's own code: it is to
    find that one's mistakes."""
    decoder, found, at = json.JSONDecoder(), {}, text.index("{") + 1
    while text[at] != "}":
        at += text[at] == ","
        name, at = decoder.raw_decode(text, at)
        start = at + 1
        _, at = decoder.raw_decode(text, start)
        found[name] = text[start:at]
    return found


def pages(call: Caller, **parameters: str) -> list[dict[str, Any]]:
    """The statements of every page that these parameters find."""
    found, path = [], "/xapi/statements?" + urlencode(parameters | {"limit": "500"})
    while path:
        answer = call("GET", path)
        must(answer.status == 200, f"GET {path}: {answer}")
        page = json.loads(answer.body)
        found += page["statements"]
        path = page.get("more", "")
    return found


def statements(served: Served, known: Known) -> Stored:
    """Each acknowledged statement is there exactly once, equal to the byte, and no request is there by half. Returns
    (seq, text, voided) of all that is stored, by id."""
    stored: Stored = {}
    with served.store() as store:
        after = 0
        while records := store.statements.follow(after, 500):
            must(all(one.seq > after for one in records), "the log's order is no order")
            for one in records:
                must(one.id not in stored, f"{one.id} is stored twice")
                stored[one.id] = one.seq, one.text.decode(), one.voided
            after = records[-1].seq
    lost = [name for name in known.acknowledged if name not in stored]
    must(not lost, f"{len(lost)} acknowledged statements are lost, e.g. {lost[:3]}")
    must(stored.keys() <= known.sent.keys(), f"statements nobody sent: {sorted(stored.keys() - known.sent.keys())[:3]}")
    must(not known.refused & stored.keys(), f"of a refused request is stored: {sorted(known.refused & stored.keys())[:3]}")
    for group in known.groups:
        there = sum(name in stored for name in group)
        must(there in (0, len(group)), f"half a batch: {there} of {len(group)} ({group[0]}, …)")
    for name, (_, text, _) in stored.items():
        sent, kept = members(known.sent[name]), members(text)
        for member, value in sent.items():
            must(kept.get(member) == value, f"{name}: {member} was sent as {value} and is kept as {kept.get(member)}")
        must(kept.keys() - sent.keys() <= OURS | {"timestamp"}, f"{name}: members nobody sent: {sorted(kept.keys() - sent.keys())}")
    wrong = [name for name in stored if stored[name][2] != (name in known.voided) and name not in known.maybe_voided]
    must(not wrong and all(stored[name][2] for name in known.voided), f"voided or not, otherwise than acknowledged: {wrong[:3]}")
    return stored


def filters(served: Served, known: Known, stored: Stored, seed: int) -> int:
    """Every filter finds exactly what it must, by what the clients sent. Returns how many questions were asked."""
    shown = {name: json.loads(known.sent[name]) for name, (_, _, voided) in stored.items() if not voided}
    call, asked = served.caller(120), 0

    def context(one: dict[str, Any]) -> dict[str, Any]:
        return one.get("context") or {}

    def ask(expected: Iterable[str], by: Caller = call, **parameters: str) -> None:
        nonlocal asked
        asked += 1
        found = [one["id"] for one in pages(by, **parameters)]
        must(len(found) == len(set(found)), f"{parameters} finds a statement twice")
        wrong = set(found) ^ set(expected)
        must(not wrong, f"{parameters} finds {len(found)}, wrong are {sorted(wrong)[:3]}")

    def each(values: Callable[[dict[str, Any]], list[str]], **parameters: Callable[[str], str]) -> None:
        groups: dict[str, list[str]] = {}
        for name, one in shown.items():
            # what refers to a statement is found by whatever finds that one (xAPI 1.0.3 Communication 2.1.3), voided or not
            referred = [json.loads(known.sent[target])] if (target := one["object"]["id"]) in stored else []
            for value in {value for each_one in (one, *referred) for value in values(each_one)}:
                groups.setdefault(value, []).append(name)
        for value, names in groups.items():
            ask(names, **{key: says(value) for key, says in parameters.items()})

    ask(shown)
    ask(shown, ascending="true")
    ask(shown, served.sender(120))  # its own are all that the clients sent
    authority = next((json.dumps(json.loads(text)["authority"]) for _, text, _ in stored.values()), "{}")
    ask(shown, agent=authority, related_agents="true")
    each(lambda one: [json.dumps(one["actor"])], agent=str)
    each(lambda one: [one["verb"]["id"]], verb=str)
    each(lambda one: [context(one)["registration"]] if context(one) else [], registration=str)
    each(lambda one: [json.dumps(one["actor"]), *([json.dumps(context(one)["instructor"])] if context(one) else [])],
         agent=str, related_agents=lambda _: "true")
    each(lambda one: [p["id"] for p in context(one).get("contextActivities", {}).get("parent", [])],
         activity=str, related_activities=lambda _: "true")
    each(lambda one: [f"{one['verb']['id']} {context(one)['registration']}"] if context(one) else [],
         verb=lambda v: v.split()[0], registration=lambda v: v.split()[1])
    some = random.Random(seed).sample(sorted(shown), min(SAMPLE, len(shown)))
    for name in some:
        if (activity := shown[name]["object"]["id"]).startswith("http"):
            ask([name], activity=activity)
        at = json.loads(stored[name][1])["stored"]
        ask([one for one in shown if stored[one][0] > stored[name][0]], since=at)
        ask([one for one in shown if stored[one][0] <= stored[name][0]], until=at)
        one = call("GET", f"/xapi/statements?statementId={name}")
        must(one.status == 200 and one.body.decode() == stored[name][1], f"by its id: {one}")
    for name in [name for name, (_, _, voided) in stored.items() if voided][:50]:
        must(call("GET", f"/xapi/statements?statementId={name}").status == 404, f"{name} is voided and is shown")
        must(call("GET", f"/xapi/statements?voidedStatementId={name}").status == 200, f"{name} is voided and cannot be had as such")
    for path, possible in known.documents.items():
        there = call("GET", path)
        must(there.status == 200 and there.body in possible, f"the state {path} is {there}, could be {possible}")
    call.close()
    return asked


def followed(follower: Follower, stored: Stored) -> None:
    """The reader that went by Consistent-Through has seen everything, and nothing twice."""
    must(not follower.wrong, f"the follower: {follower.wrong[:1]}")
    follower.close()
    follower.catch_up()
    twice = [name for name, times in follower.seen.items() if times > 1]
    must(not twice, f"the follower was given {twice[:3]} twice")
    missed = [name for name, (_, _, voided) in stored.items() if not voided and name not in follower.seen]
    must(not missed, f"{len(missed)} statements appeared behind the follower, e.g. {missed[:3]}")


def onward(served: Served, stored: Stored, receiver: Receiver, target: str, reader: FeedReader) -> tuple[int, int]:
    """Every completion is published, every owed delivery made, each under one webhook-id, the feed as it was read.
    Returns the number of deliveries, and of those that two workers in a row were killed over, so that they went alone."""
    with served.store() as store:
        def routed() -> bool:
            return partitions.routed(store).seq >= max((seq for seq, _, _ in stored.values()), default=0)

        def settled() -> bool:
            return set(store.work.count_by_state()) <= {"delivered", "cancelled", "dead"}

        until(routed, DELIVERED_SECONDS, "all statements are routed")
        until(settled, DELIVERED_SECONDS, "every delivery is made; now", store.work.count_by_state)
        dead = store.work.deliveries(Wanted(state="dead"), 10**6)
        must(not dead, f"{len(dead)} are dead of kills that were not their doing: {[row.why for row in dead][:3]}")
        rows, cursor = [], 0
        while more := store.work.feed(cursor, 1000):
            rows += more
            cursor = more[-1].n
        must([row.n for row in rows] == list(range(1, len(rows) + 1)), "the feed has a gap")
        deliveries = {row.id: row for row in store.work.deliveries(Wanted(target=target), 10**7)}
        suspects = sum(any("goes alone" in one.why for one in store.work.attempts(key)) for key in deliveries)
    reader.close()
    reader.catch_up()
    feed = [json.loads(row.body) for row in rows]
    must(reader.items == feed, f"the feed was read as {len(reader.items)} items and is {len(feed)}, or they differ")
    last = {event["course"]["id"]: event for event in feed}
    for name, (_, text, voided) in stored.items():
        said = json.loads(text)
        if not said["verb"]["id"].endswith("/completed"):
            continue
        event = last.get(said["object"]["id"])
        if voided:
            must(event is None or event["event"].endswith(".revoked"), f"{name} is voided, its last event is {event}")
        else:
            must(event is not None and event["event"] == "learning.completed", f"{name} is a completion, its last event is {event}")
    times = receiver.times()
    must(len({(e["id"], e["revision"]) for e in feed}) == len(feed), "an event is in the feed twice")
    owed = {webhook_id(target, event["id"], event["revision"]) for event in feed}
    must(owed == deliveries.keys(), f"owed and not kept, or the reverse: {sorted(owed ^ deliveries.keys())[:3]}")
    made = {key for key, row in deliveries.items() if row.state == "delivered"}
    must(made <= times.keys(), f"called delivered and never came: {sorted(made - times.keys())[:3]}")
    must(times.keys() <= deliveries.keys(), f"came and is owed to nobody: {sorted(times.keys() - deliveries.keys())[:3]}")
    ids: dict[tuple[str, int], set[str]] = {}
    order: dict[str, list[int]] = {}
    for one in receiver.came:
        if one.body is not None:
            ids.setdefault((one.body["id"], one.body["revision"]), set()).add(one.id)
            order.setdefault(one.body["id"], []).append(one.body["revision"])
    must(all(len(names) == 1 for names in ids.values()), "an event came under two webhook-ids")
    must(all(revisions == sorted(revisions) for revisions in order.values()), "revisions of an achievement came out of order")
    return len(deliveries), suspects


def exported(served: Served, stored: Stored, folder: Path) -> None:
    """Facts and raw export agree with the store to the row."""
    for raw, file in ((True, "statements.ndjson"), (False, "facts.ndjson")):
        subprocess.run(export_command(folder, raw), check=True, stdout=subprocess.DEVNULL, env=served.environ)
        rows = [json.loads(line) for line in (folder / file).read_text().splitlines()]
        by_id = {row["statement_id"]: row for row in rows}
        must(len(by_id) == len(rows) and by_id.keys() == stored.keys(), f"{file} has {len(rows)} rows, {len(stored)} statements are stored")
        for name, (seq, text, voided) in stored.items():
            row, said = by_id[name], json.loads(text)
            must((row["seq"], row["voided"]) == (seq, voided), f"{file}: {row} is not as stored")
            right = row["statement"] == text if raw else row["verb_iri"] == said["verb"]["id"]
            must(right, f"{file}: {row} is not what {text} says")


def export_command(folder: Path, raw: bool) -> list[str]:
    """`lrs export` of everything as NDJSON into the folder; to be run with the environment of the LRS."""
    return [sys.executable, "-m", "lrs", "export", "--format", "ndjson", "--out", str(folder), *(["--raw"] if raw else [])]
