"""What every store of statements promises, one promise a test."""
import re
import threading
import time
import uuid
from dataclasses import replace

import pytest

from lrs.errors import Conflict
from lrs.statements.record import Query
from lrs.store.mongo import postings as mongo_postings
from lrs.store.sqlite import postings as sqlite_postings


def ids(page):
    return [record.id for record in page.records]


def test_ids_come_back_in_order_and_seqs_rise(statements_store, make, equal):
    batch = [make() for _ in range(50)]
    added = statements_store.add(batch, equal)
    assert [one.id for one in added] == [one.id for one in batch]
    seqs = [one.seq for one in added]
    assert seqs == sorted(set(seqs))
    assert not any(one.repeated for one in added)


def test_stored_is_the_seq_printed_with_six_digits(statements_store, make, equal):
    (one,) = statements_store.add([make(body=b"x")], equal)
    printed = statements_store.get(one.id).text.partition(b"|")[0].decode()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", printed)
    assert int(printed[-7:-1]) == one.seq % 1_000_000


def test_the_same_statement_again_is_accepted_with_its_first_seq(statements_store, make, equal):
    one = make()
    first, = statements_store.add([one], equal)
    new = make()
    again = statements_store.add([one, new], equal)
    assert (again[0].seq, again[0].repeated, again[1].repeated) == (first.seq, True, False)
    assert statements_store.count() == 2


def test_another_statement_under_a_known_id_refuses_the_whole_batch(statements_store, make, equal):
    one, new = make(body=b"first"), make()
    statements_store.add([one], equal)
    with pytest.raises(Conflict) as refused:
        statements_store.add([new, make(one.id, body=b"other")], equal)
    assert (refused.value.index, refused.value.statement_id) == (1, one.id)
    assert refused.value.stored.endswith(b"|first")
    assert statements_store.get(new.id) is None
    assert statements_store.count() == 1


def test_an_empty_batch_and_an_unknown_id_are_nothing(statements_store, equal):
    assert statements_store.add([], equal) == []
    assert statements_store.get(str(uuid.uuid4())) is None
    page = statements_store.page(Query())
    assert page.records == []
    assert page.more is None


@pytest.mark.parametrize("body", [b'{"a.b":{"$set":1}}', b'"\\u0000\x00"', "😀".encode(), b"9" * 40, b"x" * 1_000_000],
                         ids=["dots and dollars", "nul", "emoji", "forty digits", "one megabyte"])
def test_bytes_come_back_as_they_came(statements_store, make, equal, body):
    one = make(body=body)
    statements_store.add([one], equal)
    assert statements_store.get(one.id).text.partition(b"|")[2] == body


def test_since_is_exclusive_and_until_inclusive_on_stored(statements_store, make, equal):
    added = statements_store.add([make() for _ in range(5)], equal)
    for terms in ((), (1,)):
        page = statements_store.page(Query(terms, since=added[1].seq, until=added[3].seq, ascending=True))
        assert ids(page) == [added[2].id, added[3].id]
        assert statements_store.page(Query(terms, until=added[0].seq - 1)).records == []


@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("terms", [(), (1,), (1, 2)], ids=["no filter", "one term", "two terms"])
def test_paging_gives_each_record_once_while_others_arrive(statements_store, make, equal, ascending, terms):
    first = statements_store.add([make(terms=(1, 2)) for _ in range(23)], equal)
    seen, after = [], None
    while True:
        page = statements_store.page(Query(terms, after=after, ascending=ascending, limit=5))
        seen += ids(page)
        if page.more is None:
            break
        after = page.more
        if len(seen) < 20:
            statements_store.add([make(terms=(1, 2))], equal)
            statements_store.merge_postings(7)
    assert len(seen) == len(set(seen))
    old = [one.id for one in first]
    assert [name for name in seen if name in set(old)] == (old if ascending else old[::-1])


def test_an_exactly_full_last_page_has_no_more(statements_store, make, equal):
    statements_store.add([make() for _ in range(4)], equal)
    for terms in ((), (1,)):
        first = statements_store.page(Query(terms, limit=2))
        last = statements_store.page(Query(terms, limit=2, after=first.more))
        assert first.more is not None
        assert len(last.records) == 2
        assert last.more is None


def test_a_credential_sees_only_its_own_records(statements_store, make, equal):
    mine, other = make(credential="mine"), make(credential="other")
    statements_store.add([mine, other], equal)
    assert ids(statements_store.page(Query((1,), credential_id="mine"))) == [mine.id]


def test_a_page_reads_recent_and_merged_rows_together(open_sqlite, make, equal):
    # of files only: their index is in two trees, MongoDB's is one
    statements_store = open_sqlite()
    added = statements_store.add([make(terms=(n % 3, 7)) for n in range(30)], equal)
    expected = [one.id for n, one in enumerate(added) if n % 3 == 1]
    moved = 0
    for _ in range(40):
        assert ids(statements_store.page(Query((1, 7), ascending=True))) == expected
        moved += statements_store.merge_postings(2)
    assert moved == 60
    assert statements_store.merge_postings(2) == 0


def test_a_long_search_ends_early_with_a_more_and_misses_nothing(statements_store, make, equal, monkeypatch):
    for postings in (sqlite_postings, mongo_postings):
        monkeypatch.setattr(postings, "PROBES", 10)
    batch = [make(terms=(1,) if n % 2 else (2,)) for n in range(200)]
    both = make(terms=(1, 2))
    statements_store.add([both, *batch], equal)
    for ascending in (False, True):
        after, found, pages = None, [], 0
        while True:
            page = statements_store.page(Query((1, 2), after=after, ascending=ascending))
            found += ids(page)
            pages += 1
            assert pages < 300
            if page.more is None:
                break
            after = page.more
        assert found == [both.id]
        assert pages > 3


def test_follow_gives_voided_ones_too_oldest_first(statements_store, make, equal):
    one, two = make(), make()
    void = make(target=one.id, void=True)
    added = statements_store.add([one, two, void], equal)
    records = statements_store.follow(0, 10)
    assert [(r.id, r.voided) for r in records] == [(one.id, True), (two.id, False), (void.id, False)]
    assert [r.id for r in statements_store.follow(added[0].seq, 1)] == [two.id]


def test_one_request_s_conflict_never_fails_another_s(statements_store, make, equal):
    taken = make(body=b"taken")
    statements_store.add([taken], equal)
    outcomes, start = [], threading.Barrier(16)

    def send(n):
        start.wait()
        for k in range(10):
            bad = (n + k) % 2
            try:
                statements_store.add([make(), make(taken.id, body=b"no")] if bad else [make()], equal)
                outcomes.append(bad == 0)
            except Conflict:
                outcomes.append(bad == 1)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 160
    assert all(outcomes)
    assert statements_store.count() == 81


def test_the_term_key_is_made_once_and_migrate_again_changes_nothing(open_statements):
    one, two = open_statements(), open_statements()
    assert len(one.term_key) == 16
    assert one.term_key == two.term_key
    one.migrate()
    assert open_statements().term_key == one.term_key


def test_consistent_through_goes_on_when_nothing_is_written(statements_store, make, equal):
    (one,) = statements_store.add([make()], equal)
    first = statements_store.consistent_through()
    assert one.seq <= first
    # where a reader asks a server, what is promised goes on in steps: a feed is less than a second behind
    end = time.monotonic() + 1
    while (second := statements_store.consistent_through()) == first and time.monotonic() < end:
        time.sleep(0.01)
    assert first < second


def test_consistent_through_of_files_goes_on_at_once(open_sqlite, make, equal):
    store = open_sqlite()
    store.add([make()], equal)
    assert store.consistent_through() < store.consistent_through()


def test_a_checkpoint_leaves_nothing_waiting(statements_store, make, equal):
    statements_store.add([make() for _ in range(100)], equal)
    assert statements_store.checkpoint() == 0


def test_statements_know_the_request_that_brought_them_first(open_statements, make, equal):
    store = open_statements()
    one, two, plain, alone = make(), make(), make(), make()
    store.add([replace(one, request="r-1"), replace(two, request="r-1")], equal)
    store.add([plain], equal)
    store.add([replace(one, request="r-2")], equal)
    store.add([replace(two, request="r-3"), replace(alone, request="r-3")], equal)
    asked = [one.id, two.id, plain.id, alone.id, str(uuid.uuid4())]
    assert open_statements().requests(asked) == {one.id: "r-1", two.id: "r-1", alone.id: "r-3"}
    assert store.requests([]) == {}


def test_what_came_after_a_seq_is_counted_whether_it_is_little_or_much(statements_store, make, equal, monkeypatch):
    monkeypatch.setattr("lrs.store.sqlite.statements.FEW", 3)
    seqs = [one.seq for one in statements_store.add([make() for _ in range(6)], equal)]
    assert [statements_store.count_after(seq) for seq in (0, *seqs)] == [6, 5, 4, 3, 2, 1, 0]
