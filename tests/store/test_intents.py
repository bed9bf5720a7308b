"""The rules of intents, without a server: which place, which seq, what is certain, what is given up."""
from __future__ import annotations

from lrs.errors import StoreUnavailable
from lrs.store.intents import BEAT_US, LEASE_US, NOBODY, PLACES, Intent, Known, Place, Promise, complete, dead, first_seq, free

T0 = 1_800_000_000_000_000


class Memory:
    """A table with one caller; `calls` are the names of what it did."""

    def __init__(self, *places: Place, given: int = 0) -> None:
        self.places, self.given, self.calls = {one.number: one for one in places}, given, []

    def look(self):
        self.calls.append("look")
        return Known(self.given, list(self.places.values()))

    def change(self, place, was, to):
        self.calls.append("change")
        there = self.places[place]
        if any(getattr(there, name) != value for name, value in was.items()):
            return False
        fields = {name: getattr(there, name) for name in ("number", "owner", "low", "high", "seen", "session", "referring")}
        self.places[place] = Place(**{**fields, **to})
        return True

    def stands(self, place, fields):
        return all(getattr(self.places[place], name) == value for name, value in fields.items())

    def give(self, time):
        self.calls.append("give")
        self.given = max(self.given, time)

    def end_session(self, session):
        self.calls.append(f"end {session}")


def test_a_place_gives_every_sixteenth_microsecond_and_never_one_below():
    assert {first_seq(place, T0) - T0 for place in range(PLACES)} == set(range(PLACES))
    assert all(first_seq(place, least) % PLACES == place for place in range(PLACES) for least in (0, 5, T0 + 3))


def test_a_place_that_nobody_holds_is_taken_before_one_that_is_unused_and_one_in_use_never():
    known = Known(0, [Place(0, b"a", 0, 0, T0), Place(1, b"b", 0, 0, T0 - 1), Place(2, NOBODY, 0, 0, T0), Place(3, b"c", T0)])
    assert [one.number for one in free(known, T0 + 1)] == [2, 1, 0]
    assert [one.number for one in free(known, T0 + LEASE_US + 1)][-1] in (0, 3)


def test_what_is_certain_ends_below_the_lowest_intent():
    assert complete(T0, []) == T0
    assert complete(T0, [Place(0, b"a", T0 - 5), Place(1, b"b", T0 + 5)]) == T0 - 6


def test_of_intents_that_stand_too_long_the_oldest_is_given_up_first():
    young, old, older = Place(0, b"a", T0), Place(1, b"b", T0 - 2 * LEASE_US), Place(2, b"c", T0 - 3 * LEASE_US)
    assert dead({one: one.low for one in (young, old, older)}, T0) == older
    assert dead({young: T0}, T0 + LEASE_US) is None


def test_an_intent_whose_time_is_ahead_is_given_up_when_it_was_seen_to_stand_for_as_long():
    now, table = [T0], Memory(Place(0, b"a", T0 + 3600_000_000, session="s"))
    promise = Promise(lambda: now[0])
    for later in (0, LEASE_US // 2, LEASE_US, LEASE_US + 1):
        now[0] = T0 + later
        promise.through(table)
        assert ("end s" in table.calls) == (later > LEASE_US)
    assert table.places[0].low == 0


def test_a_clock_that_is_set_back_does_not_keep_the_next_intent_from_being_given_up():
    now, table = [T0], Memory(Place(0, b"a", T0 - 2 * LEASE_US, session="s"))
    promise = Promise(lambda: now[0])
    promise.through(table)
    table.places[0] = Place(0, b"b", T0 - 3600_000_000 - 2 * LEASE_US, session="t")
    now[0] = T0 - 3600_000_000
    promise.through(table)
    assert [call for call in table.calls if call.startswith("end")] == ["end s", "end t"]


def test_promises_are_looked_at_before_intents_and_what_is_said_never_falls():
    now, table = [T0], Memory(Place(0, b"a"), given=T0 - BEAT_US - 1)
    promise = Promise(lambda: now[0])
    assert promise.through(table) == T0
    assert table.calls == ["look", "give", "look"]
    table.places[0] = Place(0, b"a", T0 - 100)
    assert promise.through(table) == T0


def test_what_refers_to_another_is_marked_with_its_commit_and_a_later_one_that_refers_to_none_leaves_the_mark():
    table = Memory(*(Place(n) for n in range(PLACES)))
    mine = Intent(table, lambda: T0, b"me", lambda: "mine")
    for referring in (False, True, False):
        mine.open()
        first = mine.draw(table)
        mine.stood(mine.settle(table, first + 3 * PLACES, stay=False, referring=first + PLACES if referring else 0))
        if referring:
            marked = first + PLACES
    assert table.look().referring == marked


def test_who_is_told_what_another_thread_was_promised_knows_its_marks_too():
    promise, now, late = Promise(lambda: T0), T0, Memory(Place(0, high=T0 - 50), given=T0 - 60)

    class Slow(Memory):
        def look(self):
            known = super().look()
            # another thread, which sees what was committed since
            promise.through(Memory(Place(0, high=now, referring=T0 - 20), given=T0 - 60))
            return known

    assert promise.through(Slow(*late.places.values(), given=late.given)) == T0
    assert promise.referring == T0 - 20


def test_a_seq_is_above_everything_that_was_promised_or_drawn_whatever_the_clock_says():
    table = Memory(Place(0, high=T0 + 50), *(Place(n) for n in range(1, PLACES)), given=T0 + 70)
    mine = Intent(table, lambda: T0, b"me", lambda: "mine")
    mine.open()
    assert mine.draw(table) > T0 + 70


def test_a_promise_that_nobody_could_write_down_is_not_made():
    class Full(Memory):
        def give(self, time):
            raise StoreUnavailable("read only")
    assert Promise(lambda: T0).through(Full(Place(0, high=T0 - 10 * BEAT_US))) == T0 - 10 * BEAT_US


def test_one_look_is_enough_while_nothing_was_promised_or_drawn_since_an_earlier_call():
    now, table = [T0], Memory(Place(0, b"a", high=T0 - 100), given=T0 - 50)
    promise = Promise(lambda: now[0])
    assert promise.through(table) == T0 - 50
    table.calls.clear()
    assert promise.through(table) == T0 - 50
    assert table.calls == ["look"]
    table.places[0] = Place(0, b"a", high=T0 + 10)
    assert promise.through(table) == T0 + 10
    assert table.calls == ["look"] * 3
