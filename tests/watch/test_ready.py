"""Ready says why not, and to whom."""
from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from lrs.app import create_app
from lrs.auth import credentials
from lrs.config import Settings
from lrs.errors import StoreUnavailable
from lrs.management import health
from lrs.services import Services
from lrs.store.open_store import open_store
from lrs.store.protocols.work import Cursor, Output

SECOND = 1_000_000


class Clock:
    """The machine's clock and a while."""

    ahead = 0

    def __init__(self) -> None:
        self._now = Services.__dataclass_fields__["now_us"].default

    def __call__(self) -> int:
        return int(self._now()) + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def services(tmp_path: Path, clock: Clock) -> Iterator[Services]:
    store = open_store(tmp_path)
    yield Services(Settings(data=tmp_path, public_url="http://lrs.example"), store, now_us=clock)
    store.close()


def client_of(services: Services, **environ: str) -> FlaskClient:
    client = create_app(services).test_client()
    client.environ_base.update({"REMOTE_ADDR": "127.0.0.1", **environ})
    return client


def beat(services: Services) -> None:
    services.store.heartbeats.beat("w", dict.fromkeys(health.NEEDED, services.now_us()))


def codes(client: FlaskClient) -> list[str]:
    answer = client.get("/health/ready")
    assert answer.status_code == (503 if answer.json["status"] == "not ready" else 200)
    return [one["code"] for one in answer.json.get("reasons", [])]


def test_no_worker_then_a_worker_then_a_silent_one(services: Services, clock: Clock) -> None:
    client = client_of(services)
    assert codes(client) == ["no_worker", "no_worker"]
    beat(services)
    assert codes(client) == []
    clock.ahead = 31 * SECOND
    assert codes(client) == ["worker_silent", "worker_silent"]


def test_statements_that_nobody_reads(services: Services, clock: Clock) -> None:
    client = client_of(services)
    made = credentials.create(services.store.credentials, name="T", public_url="http://lrs.example", scopes=["all"])
    basic = base64.b64encode(f"{made.credential.key}:{made.secret}".encode()).decode()
    stored = client.post("/xapi/statements", json={"actor": {"mbox": "mailto:a@b.example"}, "verb": {"id": "http://v.example/did"},
                                                   "object": {"id": "http://o.example/1"}},
                         headers={"Authorization": f"Basic {basic}", "X-Experience-API-Version": "1.0.3"})
    assert stored.status_code == 200
    clock.ahead = (services.settings.ready_lag_seconds + 1) * SECOND
    beat(services)
    assert codes(client) == ["behind", "behind"]
    seq = services.store.statements.last_seq()
    services.store.work.advance("route", Cursor(), Cursor(seq, 0), Output())
    assert codes(client) == ["behind"]


def test_a_store_that_does_not_answer(services: Services) -> None:
    client = client_of(services)
    beat(services)
    (services.settings.data / "statements.db").rename(services.settings.data / "elsewhere.db")
    assert codes(client) == ["store_unavailable"]
    told = client.get("/metrics").text
    assert "\nlrs_store_up 0.0\n" in told
    assert "\nlrs_ready 0.0\n" in told


def test_a_disk_that_is_nearly_full(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    beat(services)
    monkeypatch.setattr(health, "DISK_LEAST", 2**62)
    assert codes(client_of(services)) == ["disk_full"]


def test_reasons_and_metrics_are_for_those_who_may_watch(services: Services) -> None:
    far = client_of(services, REMOTE_ADDR="192.0.2.7")
    assert far.get("/health/live").json == {"status": "live"}
    assert (far.get("/health/ready").status_code, far.get("/health/ready").json) == (503, {"status": "not ready"})
    assert far.get("/metrics").status_code == 401
    named = replace(services, settings=replace(services.settings, watch_networks=("192.0.2.0/24",)))
    assert codes(client_of(named, REMOTE_ADDR="192.0.2.7")) == ["no_worker", "no_worker"]
    assert client_of(named, REMOTE_ADDR="192.0.2.7").get("/metrics").status_code == 200
    assert client_of(named).get("/metrics").status_code == 401


@pytest.mark.parametrize(("scope", "status"), [("all/read", 200), ("statements/read", 403)])
def test_a_credential_that_reads_everything_reads_metrics(services: Services, scope: str, status: int) -> None:
    made = credentials.create(services.store.credentials, name="T", public_url="http://lrs.example", scopes=[scope])
    basic = base64.b64encode(f"{made.credential.key}:{made.secret}".encode()).decode()
    far = client_of(services, REMOTE_ADDR="192.0.2.7", HTTP_AUTHORIZATION=f"Basic {basic}")
    assert far.get("/metrics").status_code == status
    assert ("reasons" in far.get("/health/ready").json) is (status == 200)


def test_behind_a_proxy_this_machine_is_nobody(services: Services) -> None:
    proxied = replace(services, settings=replace(services.settings, behind_proxy=True))
    assert client_of(proxied).get("/metrics").status_code == 401


def test_a_count_that_takes_too_long_leaves_nothing_out_but_itself(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_long(*_: object) -> int:
        raise StoreUnavailable("operation exceeded time limit")

    monkeypatch.setattr(type(services.store.statements), "count", too_long)
    found = {family.name: family for family in health.Standing(services).collect()}
    assert [one.value for one in found["lrs_store_up"].samples] == [1]
    assert ("lrs_deliveries" in found, "lrs_consumer_lag_seconds" in found) == (False, True)
