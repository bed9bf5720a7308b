"""Every rule has a test, every example is one, and the page in docs/ is what the command prints."""
from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from lrs.cli.verbs import command
from lrs.completions.providers import ProviderRules
from lrs.completions.rules_page import markdown, tables
from verbs.tables import load

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "completion-rules.md"
RULES = ("1", "1a", "2", "3", "4", "5", "6", "7", "7a", "8", "9", "10", "11", "12", "12a", "13", "13a", "14", "15", "16", "16a", "17",
         "18", "19", "19a", "20")  # fmt: skip


def named() -> dict[str, ast.FunctionDef]:
    found: dict[str, ast.FunctionDef] = {}
    for file in sorted(HERE.glob("test_rules*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert node.name not in found, f"{node.name} stands twice: one of the two would be taken for the other"
                found[node.name] = node
    return found


TESTS = named()


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_sentence_an_example_and_a_test_of_its_number(rule):
    assert [name for name in TESTS if re.match(rf"test_rule_{rule}_", name)], f"no test is named after rule {rule}"
    assert load().rules[rule]
    assert [one for one in tables()["example"] if one["rule"] == rule]


def test_the_table_has_these_rules_and_no_other():
    assert sorted(load().rules, key=RULES.index) == list(RULES)
    assert {one["rule"] for one in tables()["example"]} == set(RULES)
    assert list(load().rules) == list(RULES), "the page shows them in this order"


@pytest.mark.parametrize("one", [*tables()["example"], *tables()["meeting"]], ids=lambda one: one["test"])
def test_every_example_is_a_test_that_asserts_something(one):
    test = TESTS[one["test"]]
    assert one["test"].startswith(f"test_rule_{one['rule']}_" if "rule" in one else "test_rule")
    assert any(isinstance(node, ast.Assert) for node in ast.walk(test))


def test_the_settings_of_a_provider_are_the_fields_of_its_rules():
    assert [one["name"] for one in tables()["setting"]] == [field.name for field in fields(ProviderRules)]


def test_the_page_is_what_the_command_prints():
    printed = CliRunner().invoke(command, ["rules"])
    assert (printed.exit_code, printed.output) == (0, markdown())
    assert PAGE.read_text(encoding="utf-8") == markdown(), "print it anew: lrs verbs rules > docs/completion-rules.md"
