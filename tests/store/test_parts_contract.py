"""What every store promises about payloads, attachments, documents, credentials, connections and the audit log, one promise a test."""
from __future__ import annotations

import hashlib
import os
import threading

import pytest

from lrs.statements.documents import PIECE, Document, Key
from lrs.store.protocols.audit import Entry
from lrs.store.protocols.connections import Connection
from lrs.store.protocols.credentials import Credential, Launch

AT = Key("state", "urn:a", "mbox:ada@example.com", "", "bookmark")


def together(*calls):
    """Call all at the same time; what they returned, in order."""
    start, results = threading.Barrier(len(calls)), [None] * len(calls)

    def run(place, call):
        start.wait()
        results[place] = call()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def put(content, content_type="text/plain"):
    return lambda stored: Document(content, content_type)


def test_a_document_comes_back_as_it_came_and_its_time_rises(open_part):
    documents = open_part("documents")
    assert documents.get(AT) is None
    first = documents.change(AT, put(b"\xff\0$a.b"))
    second = documents.change(AT, put(b"{}", "application/json"))
    assert documents.get(AT) == second == Document(b"{}", "application/json", second.updated)
    assert second.updated > first.updated
    assert documents.change(AT, lambda stored: None) is None
    assert documents.get(AT) is None
    assert documents.change(AT, lambda stored: None) is None


def test_what_the_decision_raises_changes_nothing(open_part):
    documents = open_part("documents")
    kept = documents.change(AT, put(b"kept"))

    def refuse(stored):
        raise LookupError(stored.content)

    with pytest.raises(LookupError, match="kept"):
        documents.change(AT, refuse)
    assert documents.get(AT) == kept


@pytest.mark.parametrize("there", [True, False], ids=["one stands", "none stands"])
def test_nobody_comes_between_the_look_and_the_write(open_part, there):
    ones = [open_part("documents") for _ in range(3)]
    if there:
        ones[0].change(AT, put(b""))

    def add(documents):
        for _ in range(10):
            documents.change(AT, lambda stored: Document((stored.content if stored else b"") + b"x", "text/plain"))

    together(*(lambda one=one: add(one) for one in ones))
    assert ones[0].get(AT).content == b"x" * 30


def test_ids_are_of_the_key_sorted_and_since(open_part):
    documents = open_part("documents")
    names = (("", "b"), ("r", "a"), ("r", "c"), ("", "é"), ("", "Z"))
    keys = [Key("state", "urn:a", "ada", registration, name) for registration, name in names]
    written = [documents.change(key, put(b"x")).updated for key in keys]
    for place in (("activity_profile", "urn:a", "ada"), ("state", "urn:b", "ada"), ("state", "urn:a", "bob"), ("state", "urn:aa", "da")):
        other = Key(*place, "", "x")
        documents.change(other, put(b"x"))
    assert documents.ids(keys[0]) == {"Z": written[4], "b": written[0], "é": written[3]}
    assert list(documents.ids(keys[0], any_registration=True)) == ["Z", "a", "b", "c", "é"]
    assert list(documents.ids(keys[1], written[1])) == ["c"]
    assert documents.delete_all(keys[1]) == 2
    assert documents.delete_all(keys[0], any_registration=True) == 3
    assert documents.ids(keys[0], any_registration=True) == {}
    assert documents.get(Key("state", "urn:b", "ada", "", "x")) is not None


def test_a_large_document_comes_in_pieces_and_leaves_none_behind(open_part):
    documents = open_part("documents")
    first, second = os.urandom(3 * PIECE + 17), os.urandom(2 * PIECE)
    documents.change(AT, put(first))
    seen: list[bytes] = []

    def replace(stored):
        seen.append(stored.whole())
        assert stored.etag == Document(first, "").etag
        return Document(second, "video/mp4")

    written = documents.change(AT, replace)
    assert seen == [first]
    there = documents.get(AT)
    pieces = list(there.pieces())
    assert (b"".join(pieces), there.etag, there.size, there.updated) == (second, Document(second, "").etag, len(second), written.updated)
    assert max(map(len, pieces)) <= PIECE
    documents.change(AT, put(b"small"))
    assert documents.get(AT).whole() == b"small"
    documents.change(AT, put(first))
    assert documents.delete_all(AT) == 1
    documents.change(AT, put(second))
    assert documents.get(AT).whole() == second  # and none of what stood there before


def test_entries_of_the_audit_log_are_numbered_and_found_by_what_they_name(open_part):
    audit = open_part("audit")
    said = [Entry("k1", "target.pause", "a", {"a.b": {"$x": 1}}), Entry("k2", "target.resume", "a"),
            Entry("k1", "person.merge", "b", {}, "no")]
    numbers = [audit.append(entry) for entry in said]
    assert numbers == sorted(set(numbers))
    assert [(one.n, one.who, one.action, one.thing, one.detail, one.refused) for one in audit.list()] == [
        (n, one.who, one.action, one.thing, one.detail, one.refused) for n, one in reversed(list(zip(numbers, said, strict=True)))]
    assert all(one.at > 1_700_000_000_000_000 for one in audit.list())
    assert [one.n for one in audit.list(action="target")] == numbers[1::-1]
    assert [one.n for one in audit.list(action="target.pause")] == numbers[:1]
    assert [one.n for one in audit.list(who="k1", before=numbers[2])] == numbers[:1]
    assert [one.n for one in audit.list(thing="a", limit=1)] == numbers[1:2]
    assert audit.list(action="targe") == []


def test_numbers_of_many_who_append_at_once_are_all_different(open_part):
    ones = [open_part("audit") for _ in range(3)]
    numbers = together(*(lambda one=one: [one.append(Entry("k", "a.b", "t")) for _ in range(10)] for one in ones))
    assert len({n for part in numbers for n in part}) == 30 == len(ones[0].list())


def test_a_connection_is_made_once_and_changed_only_as_it_was_read(open_part):
    connections = open_part("connections")
    one = Connection("academy", "zoom", "key", {"a.b": {"$c": [1]}, "secret": "s"})
    assert connections.create(one)
    assert not connections.create(Connection("academy", "teams", "other"))
    found = connections.by_name("academy")
    assert found == Connection("academy", "zoom", "key", one.settings, "active", found.created)
    assert found.created > 1_700_000_000_000_000
    assert connections.change("academy", state="paused")
    assert connections.change("academy", settings={"n": 1}, before=one.settings)
    assert not connections.change("academy", settings={"n": 2}, before=one.settings)
    assert not connections.change("nobody", state="paused")
    assert connections.change("academy")
    connections.create(Connection("Zoo", "zoom", "key"))
    assert [(c.name, c.state, c.settings) for c in connections.list()] == [("Zoo", "active", {}), ("academy", "paused", {"n": 1})]
    assert connections.by_name("nobody") is None


def test_of_many_who_make_a_connection_of_one_name_one_does(open_part):
    ones = [open_part("connections") for _ in range(4)]
    made = together(*(lambda n=n, one=one: one.create(Connection("a", "zoom", f"key{n}")) for n, one in enumerate(ones)))
    assert sorted(made) == [False, False, False, True]
    assert ones[0].by_name("a").credential == f"key{made.index(True)}"


def credential(key="key", created=5, origins=(), launch=None):
    return Credential(key, "Name", "acme", frozenset({"statements/write", "all"}), b"\0digest", b'{"name":"x"}', created, False,
                      origins, launch)


def test_a_credential_comes_back_as_it_was_made_and_is_revoked(open_part):
    credentials, again = open_part("credentials"), open_part("credentials")
    assert credentials.secret_key == again.secret_key
    assert len(credentials.secret_key) == 32
    launch = Launch(b'{"mbox":"x"}', "urn:a", 50, "r", "key", b"hash")
    made = [credential(created=9, origins=("https://a",)), credential("b", 9), credential("first", 1),
            credential("l", 2, ("https://l",), launch)]
    assert all(credentials.create(one) for one in made)
    assert not credentials.create(credential(created=1))
    assert [credentials.by_key(one.key) for one in made] == made
    assert [one.key for one in credentials.list()] == ["first", "b", "key"]
    assert credentials.origins(49) == {"https://a", "https://l"}
    assert credentials.origins(50) == {"https://a"}
    assert credentials.revoke("key")
    assert not credentials.revoke("nobody")
    assert credentials.by_key("key").revoked
    assert credentials.origins(50) == frozenset()
    assert credentials.by_key("nobody") is None


def test_a_token_fetches_its_credential_for_the_first_time_once(open_part):
    ones = [open_part("credentials") for _ in range(4)]
    ones[0].create(credential("l", launch=Launch(b"{}", "urn:a", 50, fetch=b"hash")))
    ones[0].create(credential("m", launch=Launch(b"{}", "urn:a", 60)))
    got = together(*(lambda one=one: one.fetch(b"hash") for one in ones))
    assert sorted(first for _, first in got) == [False, False, False, True]
    assert {found.key for found, _ in got} == {"l"}
    assert ones[0].fetch(b"") is None
    assert ones[0].fetch(b"other") is None
    assert ones[0].sweep(51) == 1
    assert ones[0].by_key("l") is None
    assert ones[0].by_key("m") is not None


def test_payloads_are_kept_once_a_body_and_listed_newest_first(open_part):
    payloads = open_part("payloads")
    numbers = [payloads.keep("b" if i % 2 else "a", "e", b"\xff\0%d" % i) for i in range(7)]
    assert numbers == sorted(set(numbers))
    assert payloads.keep("a", "e", b"\xff\x000", "nobody") == numbers[0]
    assert payloads.keep("a", "e", b"\xff\x000") == numbers[0]
    assert payloads.keep("b", "e", b"\xff\x000") > numbers[6]
    assert [one.n for one in payloads.list(limit=3, before=numbers[6] + 1)] == numbers[:3:-1]
    assert [one.body for one in payloads.list("b", before=numbers[4])] == [b"\xff\x003", b"\xff\x001"]
    assert [(one.kind, one.note, one.connection) for one in payloads.list("a")][-1] == ("e", "nobody", "a")
    newest = payloads.list()[0].at
    assert payloads.purge(newest + 1, "a") == 4
    assert payloads.purge(newest + 1) == 4
    assert payloads.list() == []


def test_many_that_keep_the_same_body_at_once_keep_one_in_every_store(open_part):
    ones = [open_part("payloads") for _ in range(4)]
    numbers = together(*(lambda one=one: one.keep("a", "e", b"{}") for one in ones))
    assert len(set(numbers)) == len(ones[0].list()) == 1


@pytest.mark.parametrize("data", [b"", b"a certificate", bytes(range(256)) * 20_000], ids=["nothing", "few bytes", "five megabytes"])
def test_an_attachment_is_kept_once_whole_and_read_by_everybody(open_part, data):
    ones = [open_part("attachments") for _ in range(3)]
    sha2 = hashlib.sha256(data).hexdigest()
    pieces = [data[at:at + 300_000] for at in range(0, len(data), 300_000)]
    staged = [one.stage(pieces, sha2.upper(), hashlib.sha256()) for one in ones]
    assert all(one.matches for one in staged)
    assert staged[0].head(10) == data[:10]
    assert [(one.has(sha2), one.size(sha2), list(one.read(sha2))) for one in ones] == [(False, None, [])] * 3
    together(*(one.keep for one in staged))
    for one in staged:
        one.keep()
        one.discard()
        one.discard()
    assert [(one.has(sha2), one.size(sha2)) for one in ones] == [(True, len(data))] * 3
    read = list(ones[1].read(sha2))
    assert b"".join(read) == data
    assert all(len(piece) <= 64 * 1024 for piece in read)


def test_an_attachment_that_is_not_what_its_name_says_or_breaks_off_leaves_nothing(open_part):
    attachments = open_part("attachments")
    sha2 = hashlib.sha256(b"said").hexdigest()
    staged = attachments.stage([b"sent"], sha2, hashlib.sha256())
    assert not staged.matches
    staged.discard()

    def broken():
        yield b"sa"
        raise EOFError

    with pytest.raises(EOFError):
        attachments.stage(broken(), sha2, hashlib.sha256())
    with pytest.raises(ValueError, match="no SHA-2 hash"):
        attachments.stage([], "../../etc/passwd", hashlib.sha256())
    assert not attachments.has(sha2)
