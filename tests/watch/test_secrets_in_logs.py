"""No secret is in any log, at the most talkative level, whatever fails."""
from __future__ import annotations

import base64
import json
import socket
from pathlib import Path

import httpx
from watched import SECRET, Receiver, Watched, completed, until

from lrs.auth import credentials
from lrs.store.open_store import open_store
from lrs.store.protocols.connections import Connection

ZOOM, BAMBOO, HUBSPOT, GUESS = "zoom-secret-8f1c", "bamboo-key-77aa", "pat-hub-token-51e0", "guessed-secret-0c9d"
OLD = "whsec_" + "T0xE" * 10


def break_off(url: str, half: bytes) -> None:
    """Send half a body and go, which is told to nobody but the log of who debugs."""
    where = httpx.URL(url)
    with socket.create_connection((where.host, where.port or 80), timeout=20) as line:
        line.sendall(b"POST /xapi/statements HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + half)
        line.shutdown(socket.SHUT_WR)
        line.recv(65_536)


def test_no_secret_is_in_any_log(tmp_path: Path) -> None:
    store = open_store(tmp_path / "data")
    credentials.create(store.credentials, name="Zoom", public_url="http://lrs.example", key="zoom-key", scopes=("statements/write",))
    store.connections.create(Connection("academy", "zoom", "zoom-key", {"secret_token": ZOOM}))
    store.close()
    refusing, failing = Receiver(401), Receiver(500)
    watched = Watched(tmp_path, {
        "refuses": {"url": refusing.url, "secret": SECRET, "allow_private": True},
        "fails": {"url": f"{failing.url}?token={GUESS}", "secret": SECRET, "secret_previous": OLD, "allow_private": True},
        "away": {"url": "http://127.0.0.1:9/in", "secret": SECRET, "allow_private": True},
        "hris": {"connector": "bamboohr", "company": "acme", "api_key": BAMBOO, "base_url": failing.url, "allow_private": True},
        "crm": {"connector": "hubspot", "token": HUBSPOT, "base_url": failing.url, "allow_private": True},
        "strange": {"connector": "nothing", "api_key": BAMBOO},
    }, LRS_LOG_LEVEL="debug", LRS_LOG_REQUESTS="true")
    key, secret = watched.auth
    launch = watched.client.post("/api/v1/credentials/launch", json={
        "actor": completed()["actor"], "activity": completed()["object"]["id"], "minutes": 10})
    made = launch.json()
    token = str(made.get("fetch", "")).rpartition("/")[2]
    assert token, launch.text
    try:
        watched.client.post("/xapi/statements", json=completed())
        fetched, again = (httpx.post(made["fetch"]) for _ in range(2))
        assert "auth-token" in fetched.json()
        assert "auth-token" not in again.json()
        for auth in ((key, GUESS), (GUESS, secret), (key, secret + GUESS)):
            httpx.post(watched.url + "/xapi/statements", json=completed(), auth=auth)
        for header in (f"Bearer {GUESS}", f"Basic {GUESS}", "Basic " + base64.b64encode(f"{key}{secret}".encode()).decode()):
            httpx.get(watched.url + "/metrics", headers={"Authorization": header, "X-Forwarded-For": "192.0.2.1"})
        broken = b'{"password": "' + GUESS.encode() + b'", '
        watched.client.post("/xapi/statements", content=broken, headers={"Content-Type": "application/json"})
        watched.client.put("/xapi/activities/state", params={"secret": GUESS}, content=b"x")
        break_off(watched.url, broken)
        watched.client.get(f"/nowhere/{GUESS}", params={"token": GUESS})
        for body in (b"{", json.dumps({"event": "meeting.started", "payload": {"token": ZOOM}}).encode()):
            httpx.post(watched.url + "/hooks/zoom/academy", content=body, headers={
                "x-zm-signature": f"v0={GUESS}", "x-zm-request-timestamp": "1", "Content-Type": "application/json"})
        httpx.post(watched.url + "/hooks/lms/academy", content=b"{", headers={"webhook-signature": f"v1,{GUESS}", "webhook-id": "1"})
        watched.client.post("/api/v1/targets", json={"name": "!", "connector": "webhook", "settings": {"url": "no", "secret": SECRET}})
        ended = {"refuses", "fails", "away", "hris", "crm", "strange"}
        until(lambda: ended <= {line.get("target") for line in watched.lines() if "outcome" in line}, 60, "an attempt at each is logged")
        known = len(watched.lines())
        watched.kill_worker()
        watched.client.post("/xapi/statements", json=completed("c2"))
        until(lambda: any(line.get("target") == "away" for line in watched.lines()[known:]), 30, "the next worker is at work")
    finally:
        watched.stop()
        refusing.server.shutdown()
        failing.server.shutdown()
    log = watched.path.read_bytes()
    assert b'"level": "debug"' in log
    basic = base64.b64encode(f"{key}:{secret}".encode()).decode()
    told = {"secret": secret, "basic": basic, "token": token, "launch": made["secret"], "auth-token": fetched.json()["auth-token"],
            "target": SECRET, "target's bytes": SECRET.removeprefix("whsec_"), "previous": OLD, "zoom": ZOOM, "bamboo": BAMBOO,
            "hubspot": HUBSPOT, "guess": GUESS, "bamboo basic": base64.b64encode(f"{BAMBOO}:x".encode()).decode().rstrip("=")}
    assert [name for name, one in told.items() if one.encode() in log] == []
