"""The story of `lrs demo`: set up the company, send the traffic, wait until it is quiet, show and check what came out."""
from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Set
from datetime import UTC, datetime
from pathlib import Path

import click
import httpx

from lrs.cli.demo import checks, company, meeting
from lrs.cli.demo.company import Company
from lrs.cli.demo.processes import DidNotStart, Processes
from lrs.cli.demo.traffic import ADL, Sent, traffic
from lrs.completions.catalogue import Catalogue
from lrs.completions.judge import judge
from lrs.store.protocols.work import Wanted
from verbs.read import read
from workers import partitions

QUIET_SECONDS = 25.0
VOIDED = ADL + "voided"


def tell(folder: Path, *, store: str, port: int, once: bool, broken: Set[str]) -> int:
    """Run the story in `folder`, on the database `store` or ('') on files there; returns the exit code: 0 if every leg came out as
    it must, else 1."""
    began = time.monotonic()
    try:
        with Processes(folder) as processes:
            chapter("1. A company", "an LRS, twins of BambooHR (HRIS), HubSpot (CRM) and Zoom, five people, seven courses")
            acme = company.found(folder, processes, store, port, broken)
            click.echo(f"   LRS {acme.url}   HRIS {acme.hris_url}   CRM {acme.crm_url}   data {acme.data}")

            chapter("2. Statements arrive", "over HTTP, from eight providers, each in its own words")
            sent = list(traffic(uuid.uuid4().hex, datetime.now(UTC)))
            arrive(acme, sent)
            chapter("   … and the LMS reports by webhook", "the forklift course once more: the third source of one completion")
            checks_so_far = [hook(acme, broken)]

            chapter("   … and Zoom tells of a meeting", "the briefing completes a course for who was there for 80 % of it")
            checks_so_far.append(meeting.held(acme))

            chapter("3. How they were read", "each verb in one canonical vocabulary; what is not a course does not complete anything")
            readings(acme, sent)
            settle(acme, expected_parked=1)
            chapter("4. Somebody nobody knew", "a completion waits until the directory learns who it is")
            company.learn_grace(acme)
            settle(acme, expected_parked=0)

            chapter("5. What came out", "read back from the HRIS, the CRM, the feed and the export")
            checks_so_far += [check(acme, broken) for check in (checks.hris, checks.crm, checks.feed, checks.export)]
            for check in checks_so_far:
                click.secho(f"   {'✓' if check.ok else '✗'} {check.leg:<7} {check.told}", fg="green" if check.ok else "red")
                for line in check.lines:
                    click.echo(f"             {line}")
            failed = [check.leg for check in checks_so_far if not check.ok]
            troubled(acme)
            deliveries(acme)
            click.echo(f"\n   {time.monotonic() - began:.0f} s. " + (
                "Everything came out as it must." if not failed else f"BROKEN: {', '.join(failed)}"))
            if not once and not failed:
                click.echo("\n   Look around (Ctrl-C ends it):\n"
                           f"     feed     curl -u '{acme.reader[0]}:{acme.reader[1]}' '{acme.url}/feeds/completions'\n"
                           f"     API      {acme.url}/api/v1/docs\n     status   lrs --data {acme.data} status\n     files    {folder}")
                try:
                    processes.wait("lrs")
                except KeyboardInterrupt:
                    click.echo("   stopping")
    except DidNotStart as error:
        click.echo(str(error), err=True)
        return 1
    return 1 if failed else 0


def chapter(title: str, subtitle: str) -> None:
    """A heading of the story."""
    click.secho(f"\n{title}", bold=True, nl=False)
    click.echo(f"  {subtitle}")


def arrive(acme: Company, sent: list[Sent]) -> None:
    """POST every statement by its provider's credential and print the answers by provider."""
    answers: Counter[tuple[str, int]] = Counter()
    with httpx.Client(base_url=acme.url, timeout=20) as client:
        for one in sent:
            if one.statement["verb"]["id"] == VOIDED:
                settle(acme)  # so that there is something to take back
            answer = client.post("/xapi/statements", json=one.statement, auth=acme.providers[one.provider],
                                 headers={"X-Experience-API-Version": "1.0.3"})
            answers[one.provider, answer.status_code] += 1
            if answer.status_code != 200:
                click.secho(f"   {one.provider}: {answer.status_code} {answer.text[:300]}", fg="red")
    for (provider, status), count in answers.items():
        click.echo(f"   {provider:<14} {count} answered {status}")


def hook(acme: Company, broken: Set[str]) -> checks.Check:
    """The LMS's webhook, sent twice: the second is the same statement."""
    payload = {"event": "learning.completed", "id": "lms-evt-1", "user": {"externalId": "00101", "email": "ada.ek@acme.example"},
               "course": {"id": "forklift-01", "title": "Forklift safety"}, "result": {"status": "completed"},
               "timestamp": datetime.now(UTC).isoformat()}
    key, secret = acme.providers["acme-lms"]
    answers = [httpx.post(f"{acme.url}/hooks/lms/{key}", json=payload, auth=(key, "wrong" if "hook" in broken else secret), timeout=20)
               for _ in range(2)]
    ok = [a.status_code for a in answers] == [200, 200] and [a.json()["repeated"] for a in answers] == [False, True]
    return checks.Check("hook", ok, "the LMS's completion was taken, its repeat recognised" if ok else
                        f"the LMS's webhook was answered {answers[0].status_code}: {answers[0].text[:200]}")


def readings(acme: Company, sent: list[Sent]) -> None:
    """Print how each kind of statement was read, and what it led to or why it led to nothing."""
    catalogue = Catalogue(acme.store.directory.courses())
    seen: set[str] = set()
    now = time.time_ns() // 1000
    for one in sent:
        if one.shows in seen:
            continue
        seen.add(one.shows)
        reading = read(one.statement, one.provider)
        judgement = judge(one.statement, reading, seq=now, stored_us=now, provider=one.provider, catalogue=catalogue, now_us=now)
        verb = one.statement["verb"]["id"].rsplit("/", 1)[-1]
        click.echo(f"   {one.provider:<13} {verb:<11} → ", nl=False)
        click.secho(f"{reading.verb:<11}", fg="green" if judgement.evidence else "yellow", nl=False)
        click.echo(f"{one.shows}\n{'':<44} {judgement.why}")


def settle(acme: Company, expected_parked: int | None = None) -> None:
    """Wait until everything is routed and every delivery was tried, at most 25 s."""
    until = time.monotonic() + QUIET_SECONDS
    work = acme.store.work
    while time.monotonic() < until:
        cursor, stopped = partitions.routed(acme.store), {target.name for target in work.targets() if target.state != "active"}
        due = [one for state in ("pending", "leased", "waiting") for one in work.deliveries(Wanted(state=state))
               if one.target not in stopped]
        quiet = not acme.store.statements.follow(cursor.seq, 1) and not acme.store.directory.changes(cursor.change, 1)
        if quiet and expected_parked in (None, work.count_held()) and not due:
            return
        time.sleep(0.1)


def troubled(acme: Company) -> None:
    """The deliveries that failed first and succeeded later: both targets had a bad morning."""
    chapter("6. What went wrong on the way", "the HRIS answered 503, the CRM asked for patience and broke a connection: nothing was lost")
    for one in acme.store.work.deliveries(Wanted(state="delivered"), 200):
        tries = acme.store.work.attempts(one.id)
        if len(tries) > 1:
            click.echo(f"   {one.target:<5} {one.event:<18} " + ", then ".join(
                (f"delivered ({tried.body or tried.status})" if tried.state == "delivered" and not tried.status else
                 f"{tried.status or 'no answer'}{' delivered' if tried.state == 'delivered' else ''}") for tried in tries))


def deliveries(acme: Company) -> None:
    """What was delivered and what waits, in one line."""
    states = acme.store.work.count_by_state()
    click.echo("\n   deliveries: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
