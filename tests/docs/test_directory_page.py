"""The page about people and courses names every column, and what it shows as files is taken whole."""
from __future__ import annotations

import re
from pathlib import Path

from lrs.directory import csv

PAGE = (Path(__file__).parents[2] / "docs" / "directory.md").read_text()
PEOPLE, COURSES = PAGE.split("\n## ")[1:]


def documented(part: str) -> list[str]:
    return [name for cell in re.findall(r"^\| (`.*?) \|", part, re.M) for name in re.findall(r"`(\w+)`", cell)]


def shown(part: str) -> list[str]:
    (block,) = re.findall(r"```csv\n(.*?)```", part, re.S)
    return list(block.splitlines(keepends=True))


def test_every_column_is_named_once() -> None:
    assert documented(PEOPLE) == list(csv.PEOPLE_COLUMNS)
    assert documented(COURSES) == list(csv.COURSE_COLUMNS)


def test_the_files_of_the_page_are_taken_whole() -> None:
    people, refused = csv.people(shown(PEOPLE))
    assert ([one.employee_id for _, one in people], refused) == (["00417", "00418"], [])
    assert "account:https://sim.acme.example|bo" in people[1][1].identifiers
    courses, refused = csv.courses(shown(COURSES))
    assert (len(courses), refused) == (3, [])
