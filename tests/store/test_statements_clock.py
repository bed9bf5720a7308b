"""No time that was given is given again: not after a step back, a reboot, or a move to another host.

Of files only: they live by the clock of their machine. MongoDB's time is its server's (test_mongo_intents.py)."""
import shutil

import pytest

from lrs.store.sqlite.clock import Ticks

T0 = 1_800_000_000_000_000
SECOND = 1_000_000


class Machine:
    """A wall clock, an uptime and a boot id that a test moves."""

    def __init__(self, wall=T0, uptime=50 * SECOND, boot="first"):
        self.wall, self.uptime, self.boot = wall, uptime, boot

    def pass_time(self, seconds):
        self.wall += int(seconds * SECOND)
        self.uptime += int(seconds * SECOND)

    @property
    def ticks(self):
        return Ticks(lambda: self.wall, lambda: self.uptime, lambda: self.boot)


@pytest.fixture
def machine():
    return Machine()


def test_a_step_back_of_the_wall_clock_is_not_seen(open_sqlite, make, equal, machine):
    store = open_sqlite(ticks=machine.ticks)
    first = store.add([make()], equal)[0].seq
    through = store.consistent_through()
    machine.wall -= 3600 * SECOND
    machine.pass_time(1)
    second = store.add([make()], equal)[0].seq
    assert second > max(first, through)
    assert second == first + SECOND


def test_a_step_forward_is_followed_and_then_kept(open_sqlite, make, equal, machine):
    store, other = open_sqlite(ticks=machine.ticks), open_sqlite(ticks=machine.ticks)
    store.add([make()], equal)
    machine.wall += 3600 * SECOND
    assert store.add([make()], equal)[0].seq == machine.wall
    machine.wall -= 3600 * SECOND
    machine.pass_time(1)
    assert other.add([make()], equal)[0].seq == machine.wall + 3600 * SECOND


def test_a_reader_never_believes_a_wall_clock_that_the_writer_may_not_see(open_sqlite, make, equal, machine):
    store, writer = open_sqlite(ticks=machine.ticks), open_sqlite(ticks=machine.ticks)
    store.add([make()], equal)
    machine.wall += 3600 * SECOND
    through = store.consistent_through()
    machine.wall -= 3600 * SECOND
    machine.pass_time(0.001)
    assert writer.add([make()], equal)[0].seq > through


@pytest.mark.parametrize("wall", [T0 - 86_400 * SECOND, T0, T0 + 86_400 * SECOND], ids=["slow", "right", "fast"])
def test_a_reboot_with_any_clock_stays_above_what_was_given(open_sqlite, make, equal, machine, wall):
    store = open_sqlite(ticks=machine.ticks)
    given = [store.add([make()], equal)[0].seq]
    for _ in range(20):
        machine.pass_time(0.7)
        given.append(store.consistent_through())
    after = open_sqlite(ticks=Machine(wall, 3 * SECOND, "second").ticks)
    assert after.consistent_through() >= max(given)
    assert after.add([make()], equal)[0].seq > max(given)


def test_data_copied_to_a_host_whose_clock_is_behind_keep_the_promise(open_sqlite, make, equal, machine, tmp_path):
    store = open_sqlite(ticks=machine.ticks)
    store.add([make()], equal)
    machine.pass_time(30)
    through = store.consistent_through()
    store.checkpoint()
    (tmp_path / "copy").mkdir()
    for file in tmp_path.glob("statements.db*"):
        shutil.copy(file, tmp_path / "copy" / file.name)
    from lrs.store.sqlite.database import Database
    from lrs.store.sqlite.statements import SqliteStatements
    database = Database(tmp_path / "copy" / "statements.db")
    copied = SqliteStatements(database, Machine(T0 - 10 * SECOND, 1_000_000 * SECOND, "elsewhere").ticks)
    assert copied.add([make()], equal)[0].seq > through
    database.close()


def test_many_statements_in_one_microsecond_have_seqs_of_their_own(open_sqlite, make, equal, machine):
    store = open_sqlite(ticks=machine.ticks)
    seqs = [one.seq for _ in range(5) for one in store.add([make() for _ in range(300)], equal)]
    assert seqs == sorted(set(seqs))
    after = open_sqlite(ticks=Machine(T0 - SECOND, 0, "second").ticks)
    assert after.add([make()], equal)[0].seq > seqs[-1]


def test_consistent_through_keeps_pace_with_an_idle_file_for_minutes(open_sqlite, make, equal, machine):
    store = open_sqlite(ticks=machine.ticks)
    store.add([make()], equal)
    for _ in range(30):
        machine.pass_time(11)
        assert store.consistent_through() == machine.wall - 1
