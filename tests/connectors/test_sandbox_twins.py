"""The connectors against the vendors' twins, as real processes over HTTP."""
from __future__ import annotations

import subprocess
import sys
import time

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from lrs.schema import SettingsInvalid
from workers.connectors.base import Delivered, Delivery, Misconfigured, Parked, Rejected, Target, Throttled
from workers.connectors.http import Exchange
from workers.connectors.hubspot.connector import _whole, until_midnight
from workers.connectors.registry import connectors, new_secret, settings_for
from workers.connectors.webhook.connector import signatures

SECRET = new_secret()
EVENT = {"id": "ach-1", "user": {"externalId": "00417", "email": "ada@acme.example"}, "course": {"id": "https://c.example/1"},
         "result": {"status": "passed", "score": 92}, "timestamp": "2026-01-02T03:04:05Z"}


def delivery(event="learning.completed", revision=1, **more):
    payload = {**EVENT, **more, "event": event, "revision": revision}
    return Delivery(f"msg_{revision}", "t", event, "ach-1", revision, payload)


@pytest.fixture
def twin(tmp_path):
    running = []

    def start(name, key):
        process = subprocess.Popen([sys.executable, "-m", f"lrs.sandbox.{name}", "--data", str(tmp_path / name), "--key", key],
                                   stdout=subprocess.PIPE, text=True)
        running.append(process)
        return process.stdout.readline().strip().removeprefix("listening on ")

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def target(vendor, **settings):
    return Target("t", vendor, settings_for(vendor, {"allow_private": True, **settings}))


ALL = connectors(lambda: time.time_ns() // 1000)


def test_a_training_record_is_created_found_changed_and_deleted(twin):
    url, bamboo = twin("bamboohr", "k"), ALL["bamboohr"]
    to = target("bamboohr", url=url, api_key="k", training_type=18)
    records = lambda: httpx.get(f"{url}/sandbox/records").json()  # noqa: E731
    assert bamboo.find(delivery(), to) is False
    assert bamboo.send(delivery(), to).outcome == Delivered("1")
    assert bamboo.find(delivery(), to) is True
    assert bamboo.find(delivery("learning.updated", 2), to) is False
    assert isinstance(bamboo.send(delivery("learning.updated", 2), to).outcome, Delivered)
    assert len(records()) == 1
    assert "r2]" in records()[0]["notes"]
    assert bamboo.find(delivery("learning.revoked", 3), to) is False
    assert isinstance(bamboo.send(delivery("learning.revoked", 3), to).outcome, Delivered)
    assert records() == []
    assert bamboo.find(delivery("learning.revoked", 3), to) is True


def test_bamboohr_refuses_a_wrong_key_and_an_unknown_training_type(twin):
    url, bamboo = twin("bamboohr", "k"), ALL["bamboohr"]
    wrong_key = target("bamboohr", url=url, api_key="other", training_type=18)
    assert isinstance(bamboo.send(delivery(), wrong_key).outcome, Misconfigured)
    assert bamboo.find(delivery(), wrong_key) is None
    wrong_type = target("bamboohr", url=url, api_key="k", training_type=99)
    assert isinstance(bamboo.send(delivery(), wrong_type).outcome, Rejected)
    assert isinstance(bamboo.probe(wrong_type).outcome, Rejected)
    assert isinstance(bamboo.probe(target("bamboohr", url=url, api_key="k", training_type=18)).outcome, Delivered)


def test_a_contact_is_upserted_once_and_shows_a_revoke(twin):
    url, hubspot = twin("hubspot", "k"), ALL["hubspot"]
    to = target("hubspot", url=url, token="k")
    for event, revision in (("learning.completed", 1), ("learning.completed", 1), ("learning.revoked", 2)):
        assert hubspot.send(delivery(event, revision), to).outcome == Delivered("1")
    (contact,) = httpx.get(f"{url}/sandbox/contacts").json()
    assert contact["properties"]["learning_revoked"] == "true"
    assert contact["properties"]["email"] == "ada@acme.example"


def test_hubspot_refusals_are_told_apart(twin):
    url, hubspot = twin("hubspot", "k"), ALL["hubspot"]
    assert isinstance(hubspot.send(delivery(), target("hubspot", url=url, token="x")).outcome, Misconfigured)
    row = hubspot.send(delivery(), target("hubspot", url=url, token="k", id_property="no_such")).outcome
    assert isinstance(row, Rejected)
    assert "not a unique property" in row.why
    assert isinstance(hubspot.send(delivery(user={}), target("hubspot", url=url, token="k")).outcome, Parked)


def test_hubspots_daily_limit_waits_for_midnight_there_and_the_rolling_one_for_seconds():
    noon = 1_767_265_200 * 1_000_000  # 2026-01-01T11:00Z, noon in Oslo
    daily = _whole(Exchange(429, {}, b'{"policyName": "DAILY"}', 1), noon, "Europe/Oslo")
    rolling = _whole(Exchange(429, {}, b'{"policyName": "TEN_SECONDLY_ROLLING"}', 1), noon, "UTC")
    assert isinstance(daily, Throttled)
    assert daily.after == until_midnight(noon, "Europe/Oslo") == 12 * 3600
    assert isinstance(rolling, Throttled)
    assert rolling.after == 10


def test_a_webhook_is_accepted_by_a_receiver_that_verifies_and_refused_under_another_secret(twin):
    url, hook = twin("webhook", SECRET), ALL["webhook"]
    rotating = target("webhook", url=url, secret=f"{new_secret()} {SECRET}")
    assert isinstance(hook.send(delivery(), rotating).outcome, Delivered)
    assert isinstance(hook.send(delivery(), rotating).outcome, Delivered)
    assert isinstance(hook.send(delivery(), target("webhook", url=url, secret=new_secret())).outcome, Misconfigured)
    (received,) = httpx.get(f"{url}/sandbox/received").json()
    assert (received["id"], received["times"], received["event"]["id"]) == ("msg_1", 2, "ach-1")


def test_the_signature_is_the_one_of_the_reference_library():
    body, at, old = b'{"a":"\xc3\xa9"}', int(time.time()), new_secret()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": signatures([old, SECRET], "msg_1", at, body)}
    for secret in (old, SECRET):
        assert Webhook(secret).verify(body, headers) == {"a": "é"}
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers)


@pytest.mark.parametrize(("vendor", "given", "problems"), [
    ("webhook", {"url": "ftp://x", "secret": "short", "colour": "red"}, ["colour", "url", "secret"]),
    ("bamboohr", {"training_type": "x"}, ["url", "api_key", "training_type"]),
    ("hubspot", {"token": "t", "url": "http://x", "timezone": "Mars/One", "timeout": "99"}, ["timezone", "timeout", "url"]),
    ("fax", {}, ["there is no connector 'fax'"]),
])
def test_every_wrong_setting_is_named(vendor, given, problems):
    with pytest.raises(SettingsInvalid) as wrong:
        settings_for(vendor, given)
    assert [p.startswith(name) for p, name in zip(wrong.value.problems, problems, strict=True)] == [True] * len(problems)
