"""What every store promises about live sessions and about definitions of activities, one promise a test."""
from __future__ import annotations

import threading
from dataclasses import replace

from lrs.statements.definitions import Known
from lrs.store.protocols.sessions import SessionRow


def row(instance, **more):
    return SessionRow("zoom", f"urn:{instance}", **more)


def at_once(count, call):
    """What `call(number)` returned in threads that begin together."""
    start, results = threading.Barrier(count), [None] * count

    def run(number):
        start.wait()
        results[number] = call(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_rows_and_cursor_move_together_or_not_at_all(open_part):
    sessions = open_part("sessions")
    assert (sessions.cursor(), sessions.rows([("zoom", "urn:a")])) == (0, {})
    full = row("a", series="urn:s", title="Ü\0.$", run="r", scheduled_start=1, scheduled_seconds=2, first=3, last=2**62, ended=5,
               reported=True, due=6, concluded=7, why="w", poll_due=8, polls=9, poll_why="p")
    assert sessions.advance(0, 5, [full, row("b")])
    assert sessions.rows([("zoom", "urn:a"), ("zoom", "urn:b"), ("zoom", "urn:c"), ("zoo", "murn:a")]) == {
        ("zoom", "urn:a"): replace(full, revision=1), ("zoom", "urn:b"): row("b", revision=1)}
    assert not sessions.advance(4, 6, [row("c")]), "the cursor is not there"
    assert not sessions.advance(5, 6, [row("c"), row("b")]), "a row was written since"
    assert (sessions.cursor(), len(sessions.list())) == (5, 2)
    assert sessions.advance(5, 5, [row("b", title="again", revision=1)])
    assert sessions.rows([("zoom", "urn:b")]) == {("zoom", "urn:b"): row("b", title="again", revision=2)}


def test_of_many_that_advance_at_once_one_does(open_part):
    ones = [open_part("sessions") for _ in range(4)]
    assert sorted(at_once(4, lambda n: ones[n].advance(0, n + 1, [row("a"), row(f"x{n}")]))) == [False, False, False, True]
    assert [one.instance for one in ones[0].list() if one.instance.startswith("urn:x")] == [f"urn:x{ones[0].cursor() - 1}"]


def test_of_many_that_put_one_row_at_once_one_does(open_part):
    ones = [open_part("sessions") for _ in range(4)]
    assert sorted(at_once(4, lambda n: ones[n].put(row("a", concluded=n)))) == [False, False, False, True]
    [there] = ones[0].list()
    assert there.revision == 1
    assert sorted(at_once(4, lambda n: ones[n].put(replace(there, title=str(n))))) == [False, False, False, True]
    assert not ones[0].put(there)


def test_what_is_due_comes_longest_first_and_no_more_than_asked_for(open_part):
    sessions = open_part("sessions")
    for name, due, poll in (("a", 30, None), ("c", 10, 5), ("b", 10, 7), ("d", None, 6), ("e", 31, None)):
        assert sessions.put(row(name, due=due, poll_due=poll))
    assert [one.instance for one in sessions.due(30, 9)] == ["urn:b", "urn:c", "urn:a"]
    assert [one.instance for one in sessions.due(30, 2)] == ["urn:b", "urn:c"]
    assert sessions.due(9, 9) == []
    assert [one.instance for one in sessions.poll_due(6, 9)] == ["urn:c", "urn:d"]
    [first] = sessions.due(10, 1)
    assert sessions.put(replace(first, due=None))
    assert [one.instance for one in sessions.due(30, 9)] == ["urn:c", "urn:a"]


def test_the_latest_are_listed_first_and_those_without_a_time_last(open_part):
    sessions = open_part("sessions")
    for name, last in (("a", 5), ("b", None), ("c", 9), ("d", 5)):
        assert sessions.put(row(name, last=last))
    assert sessions.put(SessionRow("webex", "urn:w", last=7))
    assert [one.instance for one in sessions.list()] == ["urn:c", "urn:w", "urn:a", "urn:d", "urn:b"]
    assert [one.instance for one in sessions.list("zoom", 3)] == ["urn:c", "urn:a", "urn:d"]
    assert sessions.list("teams") == []


def test_of_many_that_search_at_once_one_does(open_part):
    ones = [open_part("sessions") for _ in range(4)]
    assert ones[0].search_due("zoom") == 0
    assert sorted(at_once(4, lambda n: ones[n].searched("zoom", 0, 10 + n, "why"))) == [False, False, False, True]
    was = ones[0].search_due("zoom")
    assert not ones[0].searched("zoom", 0, 99)
    assert ones[0].searched("zoom", was, 99)
    assert (ones[0].search_due("zoom"), ones[0].search_due("webex")) == (99, 0)


def test_definitions_and_their_cursor_move_together(open_part):
    definitions = open_part("definitions")
    assert definitions.of(()) == (0, {})
    long = "urn:" + "x" * 5_000
    known = {"urn:a.b$": Known(b'{"a":1}', b"[]"), long: Known(b"", b"\xff")}
    assert definitions.learn(known, 0, 7)
    assert definitions.of(["urn:a.b$", long, "urn:never"]) == (7, known)
    assert not definitions.learn({"urn:a.b$": Known(b"other", b"")}, 0, 9)
    assert definitions.learn({"urn:a.b$": Known(b"new", b"")}, 7, 9)
    assert definitions.of(["urn:a.b$"]) == (9, {"urn:a.b$": Known(b"new", b"")})


def test_many_definitions_are_learned_and_found(open_part):
    definitions = open_part("definitions")
    known = {f"urn:{n}": Known(b"%d" % n, b"") for n in range(1_100)}
    assert definitions.learn(known, 0, 1)
    assert definitions.of(list(known)) == (1, known)


def test_of_many_that_learn_at_once_one_does(open_part):
    ones = [open_part("definitions") for _ in range(4)]
    done = at_once(4, lambda n: ones[n].learn({"urn:a": Known(b"%d" % n, b"")}, 0, n + 1))
    assert sorted(done) == [False, False, False, True]
    assert ones[0].of(["urn:a"]) == (done.index(True) + 1, {"urn:a": Known(b"%d" % done.index(True), b"")})


def test_whoever_looks_while_others_learn_sees_definitions_of_the_cursor_it_is_told(open_part):
    ones, seen = [open_part("definitions") for _ in range(2)], []
    over = threading.Event()

    def look():
        while not over.is_set():
            seen.append(ones[1].of(["urn:a", "urn:b"]))

    looking = threading.Thread(target=look)
    looking.start()
    for n in range(30):
        assert ones[0].learn({name: Known(b"%d" % (n + 1), b"") for name in ("urn:a", "urn:b")}, n, n + 1)
    over.set()
    looking.join()
    assert all(found == ({name: Known(b"%d" % cursor, b"") for name in ("urn:a", "urn:b")} if cursor else {}) for cursor, found in seen)
