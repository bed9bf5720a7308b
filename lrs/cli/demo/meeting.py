"""The demo's live session: a Zoom meeting with a rejoin, two devices, an empty e-mail and somebody who never leaves."""
from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from lrs.cli.demo.checks import Check
from lrs.cli.demo.company import Company
from lrs.sources.sessions import ATTENDED

NUMBER = "80000000001"
MOST_SECONDS = 20.0
SHOWS = (
    ("00101", "Ada Ek", "leaves and comes back: the two stays add up"),
    ("00102", "Bo Lind", "Zoom's webhooks name no e-mail; its report does"),
    ("00104", "Dan Oduya", "phone and laptop at once count once: not enough"),
    ("00105", "Eva Ruiz", "never leaves: her stay ends with the meeting"),
)


def script(now: datetime) -> dict[str, Any]:
    """A meeting of an hour that ended half an hour ago, as the twin of Zoom plays it."""
    start = now - timedelta(minutes=90)

    def at(minute: int) -> str:
        return (start + timedelta(minutes=minute)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    return {"id": NUMBER, "topic": "Fire safety briefing", "duration": 60, "start_time": at(0), "end_time": at(60), "participants": [
        {"name": "Ada Ek", "email": "ada.ek@acme.example", "stays": [{"join": at(1), "leave": at(25)}, {"join": at(31), "leave": at(59)}]},
        {"name": "Bo (guest)", "email": "", "report_email": "bo.lind@acme.example", "stays": [{"join": at(2), "leave": at(58)}]},
        {"name": "Dan Oduya", "email": "dan.oduya@acme.example", "stays": [
            {"join": at(3), "leave": at(40)}, {"join": at(20), "leave": at(43)}]},
        {"name": "Eva Ruiz", "email": "eva.ruiz@acme.example", "stays": [{"join": at(5), "leave": at(60), "drop": ["left"]}]},
    ]}


def held(acme: Company) -> Check:
    """Zoom checks the hook's address, plays the meeting, and the LRS concludes who was there and for how long."""
    hook = f"{acme.url}/hooks/zoom/zoom-acme"
    validated = httpx.post(f"{acme.zoom_url}/sandbox/validate", json={"url": hook}, timeout=20).json()["validated"]
    played = httpx.post(f"{acme.zoom_url}/sandbox/meetings", json={**script(datetime.now(UTC)), "url": hook}, timeout=30).json()
    until, there = time.monotonic() + MOST_SECONDS, {}
    with httpx.Client(auth=acme.reader, timeout=10, headers={"X-Experience-API-Version": "1.0.3"}) as reader:
        while time.monotonic() < until and len(there) < len(SHOWS):
            there = attended(acme, reader)
            time.sleep(0.1)
    lines = tuple(f"{who} {name:<10} {there[who][0]:>7} {'completes it' if there[who][1] else 'attended':<12}  {shows}" if who in there else
                  f"{who} {name:<10} is missing" for who, name, shows in SHOWS)
    right = {who: done for who, (_, done) in there.items()} == {"00101": True, "00102": True, "00104": False, "00105": True}
    ok = bool(validated) and played["sent"] == played["accepted"] and right
    return Check("zoom", ok, f"{played['sent']} webhooks and Zoom's report make one `attended` a person" if ok else
                 f"the meeting came out wrong: the hook {'answered' if validated else 'did not answer'} Zoom's check, "
                 f"{played['accepted']} of {played['sent']} webhooks were taken", lines)


def attended(acme: Company, reader: httpx.Client) -> dict[str, tuple[str, bool]]:
    """Employee id → (how long, whether that was enough), from the statements."""
    answer = reader.get(f"{acme.url}/xapi/statements", params={"verb": ATTENDED})
    found = {}
    for one in answer.json().get("statements", []):
        person = next(iter(acme.store.directory.person_by_identifier([f"mbox:{one['actor'].get('mbox', '')[7:]}"]).values()), None)
        if person is not None:
            found.setdefault(person.employee_id, (one["result"]["duration"], one["result"].get("completion") is True))
    return found
