"""Every scope opens what the table says, and nothing else."""
import pytest

from lrs.auth.scopes import DEFAULT, MEANING, OPENED_BY, allowed

OPENS = {
    "statements/write": {"statements/write"},
    "statements/read/mine": {"statements/read/mine"},
    "statements/read": {"statements/read", "statements/read/mine"},
    "statements/void": {"statements/void"},
    "state": {"state"}, "define": {"define"}, "profile": {"profile"}, "feeds/read": {"feeds/read"}, "launch": {"launch"},
    "all/read": {"statements/read", "statements/read/mine", "feeds/read", "all/read"},
    "all": set(MEANING),
}


@pytest.mark.parametrize("scope", sorted(MEANING))
def test_a_scope_opens_what_the_table_says_and_nothing_else(scope):
    assert {wanted for wanted in OPENED_BY if allowed([scope], wanted)} == OPENS[scope]


def test_the_tables_name_the_same_scopes():
    assert set(MEANING) == set(OPENED_BY) == set(OPENS)
    assert set(MEANING) > DEFAULT
    assert not allowed([], "state")
