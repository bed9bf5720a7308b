"""Zoom proves itself by a signature, we prove ourselves by the handshake, and neither helps a stranger to forge."""
from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from lrs.schema import SettingsInvalid, checked, masked
from lrs.sources.registry import SOURCES
from lrs.sources.zoom.signature import handshake, sign, verify

SECRET, NOW, BODY = "zoom-secret-token", 1_767_258_000, b'{"event":"meeting.started"}'


def headers(body: bytes = BODY, *, at: str = str(NOW), secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"x-zm-signature": "v0=" + digest, "x-zm-request-timestamp": at}


def challenge(token: Any) -> dict[str, Any]:
    return {"event": "endpoint.url_validation", "payload": {"plainToken": token}}


def test_what_zoom_signed_is_right() -> None:
    assert verify(headers(), BODY, SECRET, NOW) == ""


def test_the_signature_is_the_one_of_zooms_own_example() -> None:
    assert sign(b"{}", "1", "k") == "v0=" + hmac.new(b"k", b"v0:1:{}", hashlib.sha256).hexdigest()


@pytest.mark.parametrize("away", [-300, 300])
def test_five_minutes_early_or_late_is_fresh_and_a_second_more_is_not(away: int) -> None:
    assert verify(headers(), BODY, SECRET, NOW + away) == ""
    assert "from now" in verify(headers(), BODY, SECRET, NOW + away * 301 / 300)


@pytest.mark.parametrize("at", ["", "soon", "-5", "1.5", "١٧٦٧٢٥٨٠٠٠", "0x10", " 1767258000", "1767258000 ", "9" * 40, "1767258000\n"])
def test_a_timestamp_is_digits(at: str) -> None:
    assert verify({"x-zm-signature": sign(BODY, at, SECRET), "x-zm-request-timestamp": at}, BODY, SECRET, NOW) != ""


@pytest.mark.parametrize("given", ["", "v0=", "v1=00", "00", "é", "v0=" + "0" * 64, sign(BODY, str(NOW), SECRET).upper(),
                                   sign(BODY, str(NOW), "other"), sign(BODY, str(NOW + 1), SECRET), sign(BODY + b" ", str(NOW), SECRET)])
def test_any_other_signature_is_wrong(given: str) -> None:
    assert verify({"x-zm-signature": given, "x-zm-request-timestamp": str(NOW)}, BODY, SECRET, NOW) != ""


def test_while_the_secret_is_changed_both_are_right_and_none_is_never_right() -> None:
    for one in (SECRET, "the-new-one"):
        assert verify(headers(secret=one), BODY, f"the-new-one {SECRET}", NOW) == ""
    assert verify(headers(secret=""), BODY, "", NOW) != ""
    assert verify(headers(secret=f"the-new-one {SECRET}"), BODY, f"the-new-one {SECRET}", NOW) != ""


def test_the_handshake_proves_that_we_know_the_secret() -> None:
    assert handshake(challenge("qgg8vlvZRS6UYooatFL8Aw"), f"{SECRET} old") == {
        "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
        "encryptedToken": hmac.new(SECRET.encode(), b"qgg8vlvZRS6UYooatFL8Aw", hashlib.sha256).hexdigest()}


def test_an_event_that_a_stranger_hides_in_the_handshake_is_never_signed() -> None:
    forged = json.dumps({"event": "meeting.participant_joined", "event_ts": NOW * 1000, "payload": {"object": {}}})
    token = f"v0:{NOW}:{forged}"
    assert handshake(challenge(token), SECRET) is None
    # had it been answered, the answer would have been the signature of the forged event
    stolen = "v0=" + hmac.new(SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
    assert verify({"x-zm-signature": stolen, "x-zm-request-timestamp": str(NOW)}, forged.encode(), SECRET, NOW) == ""


@pytest.mark.parametrize("token", ["", "short", "a" * 65, "v0:1767258000:x", "abcdefgh\n", "abcdefgh ", "abcd:fgh", "äbcdefgh", 12345678,
                                   None, ["abcdefgh"], "abcdefg٣"])
def test_no_other_token_is_signed(token: Any) -> None:
    assert handshake(challenge(token), SECRET) is None


@pytest.mark.parametrize("payload", [None, [], "x", {}, {"payload": None}, {"payload": []}, {"payload": {}}])
def test_a_handshake_without_a_token_is_none(payload: Any) -> None:
    assert handshake(payload, SECRET) is None


def test_a_connection_needs_the_secret_token_only() -> None:
    settings = checked("zoom", SOURCES["zoom"], {"secret_token": "new-token-1 old-token-1"})
    assert settings == {"secret_token": "new-token-1 old-token-1", "url": "https://api.zoom.us", "auth_url": "https://zoom.us",
                        "attendance_percent": 80, "attendance_of": "scheduled", "retention_days": 30, "allow_private": False, "timeout": 15}
    assert masked(SOURCES["zoom"], {**settings, "client_secret": "x"})["secret_token"] != settings["secret_token"]
    assert masked(SOURCES["zoom"], {"client_secret": "xyz"}) != {"client_secret": "xyz"}


@pytest.mark.parametrize(("name", "value"), [
    ("secret_token", "short"), ("secret_token", ""), ("attendance_percent", "0"), ("attendance_percent", "101"), ("attendance_of", "both"),
    ("retention_days", "0"), ("retention_days", "many"), ("retention_days", "366"), ("url", "ftp://x"), ("url", "http://x"),
    ("colour", "red")])
def test_what_a_connection_cannot_have_is_said_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        checked("zoom", SOURCES["zoom"], {"secret_token": "a-secret-token", name: value})
    assert [problem.split(":")[0] for problem in caught.value.problems] == [name]
