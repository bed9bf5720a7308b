"""A signing secret changes without a gap: at every stage a receiver that knows one of the secrets can verify."""
from __future__ import annotations

import json
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from workers.connectors.base import Delivered, Delivery, Target
from workers.connectors.http import Exchange, GuardedClient
from workers.connectors.registry import connectors, new_secret, settings_for
from workers.connectors.webhook.rotation import retire, rotate


class Recorder(GuardedClient):
    def exchange(self, target, method, url, headers, content=b"", answer_max=0):
        self.last = headers, content
        return Exchange(200, {}, b"", 1.0)


def verifies(settings, secret):
    client = Recorder()
    hook = connectors(lambda: time.time_ns() // 1000, client)["webhook"]
    event = {"event": "learning.completed", "id": "a", "revision": 1}
    assert hook.send(Delivery("msg_1", "t", event["event"], "a", 1, event), Target("t", "webhook", settings)).outcome == Delivered()
    headers, body = client.last
    try:
        return Webhook(secret).verify(body, headers) == json.loads(body)
    except WebhookVerificationError:
        return False


def test_the_receiver_verifies_at_every_stage_of_a_rotation():
    first = new_secret()
    before = settings_for("webhook", {"url": "https://r.example", "secret": first})
    during, second = rotate(before)
    again, third = rotate(during)
    after = retire(again)
    assert [verifies(before, s) for s in (first, second)] == [True, False]
    assert [verifies(during, s) for s in (first, second)] == [True, True]
    assert [verifies(again, s) for s in (first, second, third)] == [False, True, True]
    assert [verifies(after, s) for s in (second, third)] == [False, True]
    assert verifies(retire(during), second)
    assert not verifies(retire(during), first)


def test_rotated_settings_are_valid_and_keep_the_rest():
    before = settings_for("webhook", {"url": "https://r.example", "secret": new_secret(), "in_flight": "2"})
    during, _ = rotate(before)
    assert settings_for("webhook", during) == during
    assert {name: value for name, value in during.items() if name != "secret"} == {n: v for n, v in before.items() if n != "secret"}
    assert retire(before) == before


def test_a_target_without_a_signing_secret_has_nothing_to_rotate():
    for change in (rotate, retire):
        with pytest.raises(ValueError, match="no secret"):
            change({"token": "t"})
