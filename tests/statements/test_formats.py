"""The formats of GET: exact, ids, canonical."""
from __future__ import annotations

import json
from typing import Any

import pytest

from lrs.statements.formats import formatted, page
from lrs.statements.languages import chosen, preferred

ACTIVITY = {"objectType": "Activity", "id": "http://x/a", "definition": {"name": {"en": "A", "de": "B"}, "type": "http://x/t"}}
AGENT = {"objectType": "Agent", "name": "Ann", "mbox": "mailto:a@b.c"}
STATEMENT: dict[str, Any] = {
    "id": "i",
    "authority": AGENT,
    "actor": {"objectType": "Group", "name": "G", "member": [AGENT]},
    "verb": {"id": "http://x/v", "display": {"en": "did", "de": "tat"}},
    "object": {"objectType": "SubStatement", "actor": AGENT, "verb": {"id": "http://x/v", "display": {"de": "tat"}}, "object": ACTIVITY},
    "context": {
        "instructor": AGENT,
        "team": {"objectType": "Group", "name": "T", "mbox": "mailto:t@b.c", "member": [AGENT]},
        "contextActivities": {"parent": [ACTIVITY]},
        "platform": "p",
    },
    "attachments": [{"display": {"en": "x", "de": "y"}, "sha2": "0"}],
}


def as_format(name: str, *languages: str) -> dict[str, Any]:
    found = json.loads(formatted(json.dumps(STATEMENT).encode(), name, languages))
    assert isinstance(found, dict)
    return found


def test_exact_gives_the_stored_bytes() -> None:
    text = b'{ "id" : 1.0 }'
    assert formatted(text, "exact") is text


def test_ids_keeps_only_what_identifies() -> None:
    found = as_format("ids")
    ann = {"objectType": "Agent", "mbox": "mailto:a@b.c"}
    activity = {"id": "http://x/a"}
    assert found["actor"] == {"objectType": "Group", "member": [ann]}
    assert found["authority"] == ann
    assert found["verb"] == {"id": "http://x/v"}
    assert found["object"] == {"objectType": "SubStatement", "actor": ann, "verb": {"id": "http://x/v"}, "object": activity}
    assert found["context"] == {
        "instructor": ann,
        "team": {"objectType": "Group", "mbox": "mailto:t@b.c"},
        "contextActivities": {"parent": [activity]},
        "platform": "p",
    }


@pytest.mark.parametrize(("languages", "name", "tag"), [(("de",), "B", "de"), (("fr", "en"), "A", "en"), ((), "A", "en")])
def test_canonical_chooses_one_language_everywhere_and_leaves_agents_whole(languages: tuple[str, ...], name: str, tag: str) -> None:
    found = as_format("canonical", *languages)
    assert found["object"]["object"]["definition"] == {"name": {tag: name}, "type": "http://x/t"}
    assert found["context"]["contextActivities"]["parent"][0]["definition"]["name"] == {tag: name}
    assert list(found["verb"]["display"]) == [tag]
    assert found["object"]["verb"]["display"] == {"de": "tat"}
    assert list(found["attachments"][0]["display"]) == [tag]
    assert found["actor"] == STATEMENT["actor"]


@pytest.mark.parametrize("name", ["ids", "canonical"])
def test_numbers_keep_their_digits_in_every_format(name: str) -> None:
    text = b'{"actor":{"mbox":"mailto:a@b.c"},"verb":{"id":"u:v"},"object":{"id":"u:o"},"result":{"score":{"raw":1.0,"max":1e2}}}'
    assert b'{"raw":1.0,"max":1e2}' in formatted(text, name)


def test_interaction_components_have_their_descriptions_in_one_language_too() -> None:
    text = b'{"verb":{"id":"u:v"},"object":{"id":"u:o","definition":{"choices":[{"id":"a","description":{"en":"A","de":"B"}},{"id":"b"}]}}}'
    found = json.loads(formatted(text, "canonical", ("de",)))
    assert found["object"]["definition"]["choices"] == [{"id": "a", "description": {"de": "B"}}, {"id": "b"}]


def test_a_page_joins_statements_and_says_where_more_is() -> None:
    assert page([b"{}", b"{ }"], "/x?a=\"") == b'{"statements":[{},{ }],"more":"/x?a=\\""}'


@pytest.mark.parametrize(
    ("header", "ranges"),
    [("de, en;q=0.8, fr;q=0.9", ("de", "fr", "en")), ("en;q=0, *", ("*",)), ("", ()), (None, ()), ("not a range, de-CH", ("de-ch",))],
)
def test_accept_language_is_read_by_weight(header: str | None, ranges: tuple[str, ...]) -> None:
    assert preferred(header) == ranges


@pytest.mark.parametrize(
    ("tags", "wanted", "tag"),
    [
        (["en", "de"], ["de-ch"], "de"),
        (["en", "de-CH"], ["de"], "de-CH"),
        (["en-US", "en"], ["en"], "en"),
        (["en", "de"], ["fr", "*"], "en"),
        (["en"], ["fr"], "en"),
        ([], ["fr"], None),
    ],
)
def test_the_language_that_serves_best_is_chosen(tags: list[str], wanted: list[str], tag: str | None) -> None:
    assert chosen(tags, wanted) == tag
