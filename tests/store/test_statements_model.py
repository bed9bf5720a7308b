"""Random operations leave the store and a pure model of it in the same state."""
import tempfile
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from statements_model import Model, Refused
from store_openers import opened

from lrs.errors import Conflict, Forbidden
from lrs.statements.record import Query


@pytest.fixture(params=["mongo", "sqlite"])
def fresh(request):
    """Opens an empty store of each kind, as often as it is asked; `share` of the cases are what a server in Python does in seconds."""
    @contextmanager
    def one():
        with ExitStack() as left:
            if request.param == "sqlite":
                store, database = opened(left.enter_context(tempfile.TemporaryDirectory()))
            else:
                server = request.getfixturevalue("mongo_server")
                name = f"lrs_{uuid.uuid4().hex}"
                left.callback(server.drop, name)
                store, database = opened(server.url(name))
            left.callback(database.close)
            yield store

    one.share = 1 if request.param == "sqlite" else 0.25
    return one


IDS = [str(uuid.UUID(int=n + 1)) for n in range(8)]
NAMES = st.sampled_from(IDS)
TERMS = st.sets(st.integers(1, 4), max_size=3).map(lambda found: tuple(sorted(found)))


@st.composite
def statements(draw, make):
    target = draw(st.none() | NAMES)
    return make(draw(NAMES), draw(TERMS), body=draw(st.sampled_from([b"one", b"one", b"one", b"two"])), target=target,
                void=target is not None and draw(st.booleans()), provider=draw(st.sampled_from(["acme", "acme", "other"])),
                credential=draw(st.sampled_from(["a", "b"])), may_void_any=draw(st.sampled_from([False, False, True])))


def every_page(store, query):
    found, after = [], None
    while True:
        page = store.page(replace(query, after=after, limit=3))
        found += [record.id for record in page.records]
        if page.more is None:
            return found
        after = page.more


def agree(store, model):
    records = store.follow(-1, 1000)
    assert [r.id for r in records] == [one.id for one in model.log]
    for record, one in zip(records, model.log, strict=True):
        assert (record.voided, record.void_effective) == (model.voided(one), model.effective(one)), record
        assert (store.get(one.id) is None) == model.voided(one)
    seqs = [r.seq for r in records]
    for size in range(5):
        for terms in combinations((1, 2, 3, 4), size):
            for ascending in (False, True):
                query = Query(terms, ascending=ascending)
                assert every_page(store, query) == model.page(query), query
    if len(seqs) > 2:
        places = Query((1,), since=0, until=len(seqs) - 2, credential_id="a")
        assert every_page(store, replace(places, since=seqs[0], until=seqs[-2])) == model.page(places)


def outcome(store, batch, equal):
    try:
        return [one.repeated for one in store.add(batch, equal)]
    except (Conflict, Forbidden) as error:
        return type(error).__name__


def limited(monkeypatch, pairs):
    for kind in ("sqlite", "mongo"):
        monkeypatch.setattr(f"lrs.store.{kind}.references.IN_REQUEST", pairs)
    # and as few statements may wait for the index
    monkeypatch.setattr("lrs.store.sqlite.waiting.MOST", pairs)
    monkeypatch.setattr("lrs.store.sqlite.waiting.SLICE", 2)


def run(fresh, batches, merges, equal, in_request, monkeypatch):
    with fresh() as store, monkeypatch.context() as patched:
        limited(patched, in_request)
        model = Model()
        for batch, merge in zip(batches, merges, strict=False):
            try:
                expected = model.add(batch)
            except Refused as refused:
                expected = str(refused)
            assert outcome(store, batch, equal) == expected
            if merge:
                store.merge_postings(merge)
        while store.do_shadow_todo(2):
            pass
        agree(store, model)


def test_random_operations(fresh, make, equal, monkeypatch):
    @settings(max_examples=int(60 * fresh.share), deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.lists(statements(make), min_size=1, max_size=3), min_size=1, max_size=10),
           st.lists(st.integers(0, 5), min_size=10, max_size=10), st.sampled_from([0, 1, 3, 1000]))
    def check(batches, merges, in_request):
        run(fresh, batches, merges, equal, in_request, monkeypatch)

    check()


def test_every_subset_of_filters_with_references_equals_brute_force(fresh, make, equal, monkeypatch):
    # chains in both orders of arrival, a loop of three, one that refers to itself, a tail that enters the loop, a void
    links = [None, 0, 1, 5, 3, 4, 6, 3]
    for turn in range(0, 8, int(1 / fresh.share)):
        order = IDS[turn:] + IDS[:turn]
        batch = [make(name, (1 + n % 4, 1 + (n * 3) % 4), target=None if links[n] is None else IDS[links[n]])
                 for n, name in enumerate(IDS)]
        by_id = {one.id: one for one in batch}
        voids = [make(str(uuid.UUID(int=99)), (2,), target=IDS[1], void=True)]
        for in_request in (1, 1000):
            run(fresh, [[by_id[name]] for name in order] + [voids], [2] * 9, equal, in_request, monkeypatch)


def test_more_referrers_than_a_request_may_index_are_found_after_the_worker(make, equal, statements_store, monkeypatch):
    limited(monkeypatch, 20)
    target = make(terms=(9,))
    referrers = [make(terms=(1,), target=target.id) for _ in range(100)]
    statements_store.add(referrers, equal)
    statements_store.add([target], equal)
    assert len(statements_store.page(Query((9,))).records) < 101
    rounds = 0
    while statements_store.do_shadow_todo(10):
        rounds += 1
    assert len(statements_store.page(Query((9,), limit=200)).records) == 101
    assert rounds > 5
