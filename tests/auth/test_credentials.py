"""A credential is recognised by its key and secret; nothing else is."""
import base64

import pytest

from lrs.auth import credentials
from lrs.errors import Invalid
from lrs.store.sqlite.credentials import SqliteCredentials
from lrs.store.sqlite.database import Database


@pytest.fixture
def store(tmp_path):
    database = Database(tmp_path / "statements.db")
    kept = SqliteCredentials(database)
    kept.migrate()
    yield kept
    database.close()


def basic(key, secret):
    return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()


def made(store, **more):
    return credentials.create(store, **{"name": "VR Vendor", "public_url": "https://lrs.example", **more})


def test_a_new_credential_is_recognised(store):
    new = made(store)
    assert credentials.authenticate(store, basic(new.credential.key, new.secret)) == new.credential
    assert new.credential.provider == "vr-vendor"
    assert new.secret.encode() not in new.credential.digest


@pytest.mark.parametrize("header", [None, "", "Basic", "Basic !!!", "Bearer x", "Basic " + base64.b64encode(b"\xff:x").decode(),
                                    "Basic " + base64.b64encode(b"nocolon").decode(), basic("a\0b", "x"), basic("who", "x" * 40)])
def test_anything_else_is_not(store, header):
    made(store)
    assert credentials.authenticate(store, header) is None


def test_a_wrong_secret_and_a_revoked_credential_open_nothing(store):
    new = made(store)
    header = basic(new.credential.key, new.secret)
    another = made(store, name="LMS")
    for wrong in (new.secret + "A", new.secret[:-1], another.secret, ""):
        assert credentials.authenticate(store, basic(new.credential.key, wrong)) is None
    assert credentials.authenticate(store, header) == new.credential
    assert store.revoke(new.credential.key)
    assert credentials.authenticate(store, header) is None
    assert not store.revoke("nobody")


@pytest.mark.parametrize(("more", "where"), [
    ({"scopes": ["everything"]}, "/scope"), ({"key": "a b"}, "/key"), ({"secret": "short"}, "/secret"), ({"name": " "}, "/name")])
def test_a_bad_request_for_a_credential_is_refused(store, more, where):
    with pytest.raises(Invalid) as caught:
        made(store, **more)
    assert [finding.where for finding in caught.value.findings] == [where]


def test_a_key_is_given_once(store):
    made(store, key="vendor")
    with pytest.raises(Invalid):
        made(store, key="vendor")
    assert [one.key for one in store.list()] == ["vendor"]


def test_the_webhook_secret_stays_the_same_and_is_the_credentials_own(store):
    assert credentials.webhook_secret(store, "a") == credentials.webhook_secret(store, "a") != credentials.webhook_secret(store, "b")
