"""What came out, read back from where it went: both sandboxes, the feed, the exported file."""
from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Any

import duckdb
import httpx

from lrs.cli.demo.company import CRM_TOKEN, HRIS_KEY, LRS, Company
from lrs.cli.demo.expected import OUTCOMES, Outcome

LEGS = ("hris", "crm", "feed", "export", "hook", "zoom")
"""The legs that can break, and that `LRS_DEMO_BREAK` breaks some of."""


@dataclass(frozen=True, slots=True)
class Check:
    """One leg: whether it came out as it must, a sentence, and what there is to see."""

    leg: str
    ok: bool
    told: str
    lines: tuple[str, ...] = ()


def hris(acme: Company, broken: Set[str]) -> Check:
    """One training record for each completion that stands; none for what was taken back."""
    found: dict[str, list[str]] = {}
    for employee in sorted({one.employee_id for one in OUTCOMES}):
        answer = httpx.get(f"{acme.hris_url}/api/v1/training/record/{employee}", auth=(HRIS_KEY, "x"),
                           headers={"Accept": "application/json"}, timeout=10)
        records = answer.json() if answer.status_code == 200 else {}
        rows = records.values() if isinstance(records, dict) else records
        found[employee] = sorted(str(row.get("notes", "")) for row in rows)
    lines = []
    ok = True
    for one in OUTCOMES:
        there = sum(_in_notes(one, note) for note in found[one.employee_id])
        wanted = 0 if one.status == "revoked" else 1
        ok &= there == wanted
        lines.append(f"{one.employee_id} {one.title:<20} {there} record{'' if there == 1 else 's'}{' (taken back)' if not wanted else ''}")
    total = sum(len(notes) for notes in found.values())
    ok &= total == sum(one.status != "revoked" for one in OUTCOMES)
    return Check("hris", ok, f"BambooHR holds {total} training records, each completion once" if ok else
                 f"BambooHR holds {total} training records, not one for each completion", tuple(lines))


def _in_notes(one: Outcome, note: str) -> bool:
    return one.course in note or one.title in note


def crm(acme: Company, broken: Set[str]) -> Check:
    """Every person with an achievement is a contact that shows one."""
    answer = httpx.get(f"{acme.crm_url}/sandbox/contacts", headers={"Authorization": f"Bearer {CRM_TOKEN}"}, timeout=10)
    contacts = {one["properties"].get("email"): one["properties"] for one in answer.json()}
    lines = []
    ok = True
    for email in sorted({one.email for one in OUTCOMES}):
        told = contacts.get(email, {})
        ok &= "learning_status" in told
        course = told.get("learning_course_title") or told.get("learning_course_id", "nothing")
        lines.append(f"{email:<28} {course} {told.get('learning_status', '')}")
    return Check("crm", ok, f"HubSpot's {len(contacts)} contacts show the latest achievement of each" if ok else
                 "contacts are missing in HubSpot", tuple(lines))


def feed(acme: Company, broken: Set[str]) -> Check:
    """The highest revision of each id, followed by cursor, says how each achievement stands."""
    latest: dict[str, dict[str, Any]] = {}
    path, rows = "/feeds/completions?since=0&limit=5&exclude_source=", 0
    while True:
        answer = httpx.get(acme.url + path, auth=acme.reader, timeout=10)
        if answer.status_code != 200:
            return Check("feed", False, f"the feed was answered {answer.status_code}: {answer.text[:200]}")
        page = answer.json()
        for item in page["items"]:
            rows += 1
            latest[item["id"]] = item
        path = page["next"]
        if not page["more"]:
            break
    stands = {(item["user"]["externalId"], item["course"]["id"],
               "revoked" if item["event"] == "learning.revoked" else item["result"]["status"]) for item in latest.values()}
    wanted = {(one.employee_id, one.course, one.status) for one in OUTCOMES}
    lines = [f"{who} {_title(course):<20} {status}" for who, course, status in sorted(stands)]
    return Check("feed", stands == wanted, f"the feed tells {len(latest)} achievements in {rows} events" if stands == wanted else
                 f"the feed differs: {_difference(stands, wanted)}", tuple(lines))


def export(acme: Company, broken: Set[str]) -> Check:
    """`lrs export --format parquet`, opened by DuckDB."""
    out = acme.folder / ("hris.log/export" if "export" in broken else "export")
    made = subprocess.run([sys.executable, "-c", LRS, "--data", str(acme.data), "export", "--format", "parquet", "--out", str(out)],
                          capture_output=True, text=True, timeout=60)
    files = sorted(out.glob("*.parquet")) if made.returncode == 0 else []
    if not files:
        return Check("export", False, f"no Parquet file: {made.stderr.strip()[-300:]}")
    counts = duckdb.sql(f"SELECT verb, count(*) FROM read_parquet('{out}/*.parquet') GROUP BY 1 ORDER BY 2 DESC, 1").fetchall()
    total, stored = sum(count for _, count in counts), acme.store.statements.count()
    lines = [f"{files[0]}", "facts by verb: " + ", ".join(f"{verb} {count}" for verb, count in counts)]
    return Check("export", total == stored, f"DuckDB reads {total} facts from the Parquet file" if total == stored else
                 f"{total} facts in the file, {stored} statements in the store", tuple(lines))


def _title(course: str) -> str:
    return next((one.title for one in OUTCOMES if one.course == course), course)


def _difference(found: Iterable[object], wanted: Iterable[object]) -> str:
    got, must = set(found), set(wanted)
    return f"missing {sorted(map(str, must - got))}, too much {sorted(map(str, got - must))}"
