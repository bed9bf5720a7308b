"""People and courses are read from CSV; each refused row is reported with its line."""
import pytest

from lrs.directory import csv


def test_a_person_is_known_by_every_identifier_that_follows_from_the_row():
    rows, refused = csv.people(["employee_id,email,name,aliases,identifiers\n",
                                "00417,Ada@Example.com,Ada,ada.l@example.com,https://lms.example|ada;https://openid.example/ada\n"])
    assert refused == []
    person = rows[0][1]
    assert (person.employee_id, person.email) == ("00417", "ada@example.com")
    assert set(person.identifiers) == {
        "account:urn:concord-lrs:employees|00417", "mbox:ada@example.com", "mbox:ada.l@example.com",
        "account:https://lms.example|ada", "openid:https://openid.example/ada",
        *(i for i in csv.identifiers_of("x", ["ada@example.com", "ada.l@example.com"]) if i.startswith("sha1:"))}


@pytest.mark.parametrize("lines", [
    ["employee_id;email;aliases\n", '1;a@b.example;"x@b.example;y@b.example"\n'],
    ["\ufeff\"employee_id\"; email;aliases\r\n", "1;a@b.example;x@b.example y@b.example\r\n"],
    ["email\temployee_id\taliases\n", "a@b.example\t1\tx@b.example;y@b.example\n"]])
def test_a_spreadsheet_s_semicolons_and_tabs_are_taken(lines):
    ((_, person),), refused = csv.people(lines)
    assert (person.employee_id, person.email, refused) == ("1", "a@b.example", [])
    assert {"mbox:x@b.example", "mbox:y@b.example"} <= set(person.identifiers)


def test_a_header_that_does_not_fit_is_shown():
    with pytest.raises(ValueError, match="it has: Employee ID, E-Mail; known columns: employee_id, "):
        csv.people(["Employee ID,E-Mail\n", "1,a@b.example\n"])
    with pytest.raises(ValueError, match="the file is empty"):
        csv.people([])


@pytest.mark.parametrize(("row", "why"), [
    (",a@b.example", "employee_id is empty"), ("1,nobody", "no e-mail"), ("1,a@b.example,x,y", "more cells")])
def test_a_bad_row_is_refused_with_its_line_and_the_others_are_taken(row, why):
    rows, refused = csv.people(["employee_id,email\n", row + "\n", "2,c@d.example\n"])
    assert [person.employee_id for _, person in rows] == ["2"]
    assert [one.line for one in refused] == [2]
    assert why in refused[0].why


def test_a_second_row_of_one_person_is_refused():
    _, refused = csv.people(["employee_id\n", "1\n", "1\n"])
    assert (refused[0].line, refused[0].why) == (3, 'employee_id "1" stands already in line 2')


@pytest.mark.parametrize("header", ["name\n", "employee_id,shoe_size\n", ""])
def test_a_header_that_does_not_fit_is_refused_whole(header):
    with pytest.raises(ValueError, match="known columns"):
        csv.people([header])


def test_a_course_row_is_read():
    rows, refused = csv.courses(["id,title,aliases,all_of,repeat_after_days,hris_type\n",
                                 "https://c.example/1,Fire,urn:a;urn:b,urn:x urn:y,365,18\n", "urn:c,,,,soon,\n"])
    course = rows[0][1]
    assert (course.aliases, course.all_of, course.repeat_after_days, course.hris_type) == (("urn:a", "urn:b"), ("urn:x", "urn:y"), 365, 18)
    assert [one.line for one in refused] == [3]
