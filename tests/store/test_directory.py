"""The directory finds a person by any identifier, keeps identifiers unique, and logs every change once."""
import threading

import pytest

from lrs.completions.model import Course, Person

ADA = Person("00417", "ada@example.com", "Ada", identifiers=("mbox:ada@example.com", "account:x:y|ada"))


@pytest.fixture
def directory(open_part):
    kept = open_part("directory")
    kept.migrate()
    return kept


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


def test_a_course_that_is_there_is_left_alone_where_only_new_ones_are_wanted(directory):
    directory.put_courses([Course("urn:c", "C", ("urn:a",))])
    stands = directory.last_change()
    assert directory.put_courses([Course("urn:c", "other"), Course("urn:n")], only_new=True) == []
    assert [(course.id, course.title) for course in directory.courses()] == [("urn:c", "C"), ("urn:n", "")]
    assert [one.key for one in directory.changes(stands, 10)] == ["urn:n"]
    directory.put_courses([Course("urn:c", "C")])
    assert not directory.has_course("urn:a")


def test_a_long_file_is_stored_whole_and_read_in_byte_order_from_anywhere(directory):
    people = [Person(f"{n:04}", identifiers=(f"mbox:{n}@example.com",)) for n in range(450)]
    assert directory.put_people([*people, Person("Z"), Person("é", identifiers=("mbox:3@example.com",)), Person("a")]) == [
        (451, "mbox:3@example.com already belongs to 0003")]
    assert [one.employee_id for one in directory.people()] == [*(f"{n:04}" for n in range(450)), "Z", "a"]
    assert [one.employee_id for one in directory.people("0447", 3)] == ["0448", "0449", "Z"]
    assert len(directory.person_by_identifier(f"mbox:{n}@example.com" for n in range(450))) == 450
    numbers = [one.n for one in directory.changes(0, 2000)]
    assert numbers == list(range(numbers[0], numbers[0] + 902))


def test_an_identifier_handed_on_in_one_file_follows_the_order_of_its_rows(directory):
    directory.put_people([Person("1", identifiers=("mbox:x@example.com",))])
    assert directory.put_people([Person("1"), Person("2", identifiers=("mbox:x@example.com",))]) == []
    assert directory.person_by_identifier(["mbox:x@example.com"])["mbox:x@example.com"].employee_id == "2"


def test_of_two_processes_that_give_one_identifier_away_one_is_refused_and_no_change_is_lost(open_part):
    ones = [open_part("directory") for _ in range(2)]
    refused = []

    def put(directory, who):
        for n in range(15):
            refused.extend(directory.put_people([Person(f"{who}{n}", identifiers=(f"mbox:{n}@example.com",))]))

    threads = [threading.Thread(target=put, args=pair) for pair in zip(ones, "ab", strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 15
    assert len(ones[0].people()) == 15
    changes = ones[0].changes(0, 100)
    assert len(changes) == 30
    assert [one.n for one in changes] == sorted({one.n for one in changes})
