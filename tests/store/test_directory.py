"""The directory finds a person by any identifier, keeps identifiers unique, and logs every change once."""
import pytest

from lrs.completions.model import Course, Person
from lrs.store.sqlite.database import Database
from lrs.store.sqlite.directory import SqliteDirectory

ADA = Person("00417", "ada@example.com", "Ada", identifiers=("mbox:ada@example.com", "account:x:y|ada"))


@pytest.fixture
def directory(tmp_path):
    database = Database(tmp_path / "statements.db")
    kept = SqliteDirectory(database)
    kept.migrate()
    kept.migrate()
    yield kept
    database.close()


def test_a_person_is_found_by_each_identifier(directory):
    assert directory.put_people([ADA]) == []
    assert directory.person_by_identifier([*ADA.identifiers, "mbox:no@example.com"]) == dict.fromkeys(ADA.identifiers, ADA)
    assert directory.person("00417") == ADA
    assert directory.people() == [ADA]


def test_an_identifier_of_somebody_else_refuses_the_row_only(directory):
    directory.put_people([ADA])
    other = Person("2", identifiers=("mbox:ada@example.com",))
    third = Person("3", identifiers=("mbox:c@example.com",))
    assert directory.put_people([other, third]) == [(0, "mbox:ada@example.com already belongs to 00417")]
    assert [person.employee_id for person in directory.people()] == ["00417", "3"]


def test_an_identifier_that_is_gone_no_longer_finds_the_person(directory):
    directory.put_people([ADA])
    directory.put_people([Person("00417", identifiers=("mbox:ada@example.com",))])
    assert set(directory.person_by_identifier(ADA.identifiers)) == {"mbox:ada@example.com"}


def test_changes_are_logged_in_order_and_an_equal_row_changes_nothing(directory):
    assert directory.last_change() == 0
    directory.put_people([ADA])
    first = directory.changes(0, 10)
    assert [(one.kind, one.key) for one in first] == [
        ("person", "00417"), ("identifier", "account:x:y|ada"), ("identifier", "mbox:ada@example.com")]
    directory.put_people([ADA])
    assert directory.changes(first[-1].n, 10) == []
    assert directory.last_change() == first[-1].n
    directory.put_courses([Course("urn:c", aliases=("urn:a",))])
    assert [(one.kind, one.key) for one in directory.changes(first[-1].n, 10)] == [("course", "urn:c")]


def test_a_course_alias_belongs_to_one_course(directory):
    course = Course("urn:c", "C", ("urn:a",), all_of=("urn:x",), hris_type=18)
    assert directory.put_courses([course]) == []
    assert directory.put_courses([Course("urn:d", aliases=("urn:a",))]) == [(0, "urn:a already belongs to urn:c")]
    assert directory.courses() == [course]
    assert [directory.has_course(i) for i in ("urn:c", "urn:a", "urn:d")] == [True, True, False]
