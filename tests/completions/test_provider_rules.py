"""The rules of a provider as JSON: what is wrong is named with its field and what it may hold."""
from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrs.completions.catalogue import Catalogue
from lrs.completions.providers import PROVIDER_RULES, SCORE_MIN, ProviderRules, from_json, to_json

NAMES = st.text(min_size=1).filter(str.strip)
IRIS = st.sampled_from(["https://x.example/types/sim", "urn:badge", "mastered", "completed"])


@given(
    st.builds(ProviderRules, provider=NAMES, score_min=st.sampled_from(SCORE_MIN), attempted_completes=st.booleans(),
              not_cmi5=st.booleans(), failed_is_outcome=st.booleans(), withdraw_on_failed=st.booleans(),
              opt_in=st.frozensets(IRIS), course_types=st.frozensets(IRIS.filter(lambda i: ":" in i)))
)  # fmt: skip
def test_rules_come_back_from_their_json_exactly(rules):
    assert from_json(json.loads(json.dumps(to_json(rules)))) == rules


def test_what_is_left_out_has_the_standards_meaning():
    assert from_json({"provider": "acme"}) == ProviderRules("acme")
    assert from_json(to_json(PROVIDER_RULES["openedx"])) == PROVIDER_RULES["openedx"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([], "JSON object with the fields provider, score_min"),
        ({"provider": "x", "scoremin": 1}, 'unknown field "scoremin"; known fields: provider, score_min'),
        ({}, '"provider" must be the name'),
        ({"provider": " "}, '"provider" must be the name'),
        ({"provider": 7}, '"provider" must be the name'),
        ({"provider": "x", "score_min": "pass"}, "\"score_min\" must be one of lowest, pass_mark, not 'pass'"),
        ({"provider": "x", "score_min": []}, '"score_min" must be one of lowest, pass_mark, not []'),
        ({"provider": "x", "attempted_completes": "yes"}, "\"attempted_completes\" must be true or false, not 'yes'"),
        ({"provider": "x", "not_cmi5": 1}, '"not_cmi5" must be true or false, not 1'),
        ({"provider": "x", "failed_is_outcome": None}, '"failed_is_outcome" must be true or false, not None'),
        ({"provider": "x", "withdraw_on_failed": {}}, '"withdraw_on_failed" must be true or false'),
        ({"provider": "x", "opt_in": "mastered"}, '"opt_in" must be a list of verb IRIs or canonical verbs'),
        ({"provider": "x", "opt_in": ["badge"]}, "'badge' is none (the canonical verbs: attempted, completed"),
        ({"provider": "x", "course_types": ["sim"]}, "\"course_types\" must be a list of activity type IRIs; 'sim' is none"),
        ({"provider": "x", "course_types": [[]]}, '"course_types" must be a list of activity type IRIs; [] is none'),
    ],
)
def test_an_error_names_the_field_and_what_it_may_hold(value, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        from_json(value)


def test_an_installations_rules_replace_those_of_the_product_by_provider():
    catalogue = Catalogue((), [ProviderRules("openedx", failed_is_outcome=True)])
    assert catalogue.rules("openedx").failed_is_outcome
    assert not Catalogue().rules("openedx").failed_is_outcome
    assert catalogue.rules("other") == ProviderRules("other")
