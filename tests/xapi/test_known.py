"""GET /xapi/activities and /xapi/agents: what statements have said about them."""
from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from lrs.services import Services
from lrs.statements.definitions import Known
from workers.definitions import Definitions

ACTIVITY = "http://x.example/a"


def say(client: FlaskClient, **parts: Any) -> None:
    statement = {"actor": {"mbox": "mailto:ann@example.com"}, "verb": {"id": "http://x.example/did"}, "object": {"id": ACTIVITY}, **parts}
    assert client.post("/xapi/statements", json=statement).status_code == 200


def defined(**definition: Any) -> dict[str, Any]:
    return {"id": ACTIVITY, "definition": definition}


def activity(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/xapi/activities", query_string={"activityId": ACTIVITY})
    assert answer.status_code == 200
    return answer.json


def test_languages_add_up_and_the_latest_word_holds(client: FlaskClient) -> None:
    say(client, object=defined(name={"en": "Old", "de": "Alt"}, type="http://x.example/t1"))
    say(client, context={"contextActivities": {"parent": [defined(name={"en": "New"}, extensions={"http://e.example": 1})]}},
        object={"id": "http://x.example/other"})
    assert activity(client) == {"objectType": "Activity", "id": ACTIVITY, "definition": {
        "name": {"en": "New", "de": "Alt"}, "type": "http://x.example/t1", "extensions": {"http://e.example": 1}}}


def test_an_interaction_is_never_mixed_from_two(client: FlaskClient) -> None:
    say(client, object=defined(interactionType="choice", choices=[{"id": "a"}], correctResponsesPattern=["a"]))
    say(client, object=defined(interactionType="true-false"))
    assert activity(client)["definition"] == {"interactionType": "true-false"}


def test_an_activity_of_which_nobody_has_spoken_is_its_id(client: FlaskClient) -> None:
    assert activity(client) == {"objectType": "Activity", "id": ACTIVITY}
    assert client.get("/xapi/activities").status_code == 400


def test_who_may_define_prevails_over_who_may_not(client_of) -> None:
    say(client_of("statements/write", "define"), object=defined(name={"en": "Official"}))
    say(client_of("statements/write"), object=defined(name={"en": "Graffiti", "de": "Neu"}))
    assert activity(client_of("all"))["definition"]["name"] == {"en": "Official", "de": "Neu"}


def test_a_person_has_the_identifier_asked_for_and_every_name_given_to_it(client: FlaskClient) -> None:
    for name in ("Ann", "Ann B.", "Ann"):
        say(client, actor={"mbox": "mailto:ann@example.com", "name": name})
    agent = {"mbox": "mailto:ann@EXAMPLE.com"}
    answer = client.get("/xapi/agents", query_string={"agent": json.dumps(agent)})
    assert answer.json == {"objectType": "Person", "name": ["Ann", "Ann B."], "mbox": ["mailto:ann@EXAMPLE.com"]}


def test_a_person_of_whom_nobody_has_spoken_is_the_identifier(client: FlaskClient) -> None:
    account = {"homePage": "http://x.example", "name": "7"}
    answer = client.get("/xapi/agents", query_string={"agent": json.dumps({"account": account})})
    assert (answer.status_code, answer.json) == (200, {"objectType": "Person", "account": [account]})
    assert client.get("/xapi/agents", query_string={"agent": "nobody"}).status_code == 400


def canonical(client: FlaskClient, language: str = "", **query: str) -> list[dict[str, Any]]:
    headers = {"Accept-Language": language} if language else {}
    answer = client.get("/xapi/statements", query_string={"format": "canonical", **query}, headers=headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json["statements"]) if "statements" in answer.json else [answer.json]


@pytest.mark.parametrize("learned", [False, True], ids=["from the tail", "by the worker"])
def test_canonical_shows_the_definition_that_this_lrs_knows(client: FlaskClient, services: Services, learned: bool) -> None:
    say(client, id="7c1e5c0e-2f3a-4b1c-9d7e-0a1b2c3d4e5f")
    say(client, object=defined(name={"en": "Fire", "de": "Feuer"}, type="http://x.example/t", extensions={"http://e.example": 1.0}))
    say(client, object={"objectType": "SubStatement", "actor": {"mbox": "mailto:a@x.example"}, "verb": {"id": "http://x.example/v"},
                        "object": {"id": ACTIVITY}, "context": {"contextActivities": {"other": [{"id": ACTIVITY}]}}})
    if learned:
        assert Definitions(services)() == 3
    whole = {"name": {"de": "Feuer"}, "type": "http://x.example/t", "extensions": {"http://e.example": 1.0}}
    sub, own, bare = canonical(client, "fr;q=0.9, de;q=0.8, en;q=0.1")
    assert bare["object"] == own["object"] == {"id": ACTIVITY, "definition": whole}
    assert sub["object"]["object"]["definition"] == whole
    assert sub["object"]["context"]["contextActivities"]["other"][0]["definition"] == whole
    [single] = canonical(client, "de;q=0.1, en;q=0.8", statementId="7c1e5c0e-2f3a-4b1c-9d7e-0a1b2c3d4e5f")
    assert single["object"]["definition"]["name"] == {"en": "Fire"}
    assert "definition" not in client.get("/xapi/statements").json["statements"][2]["object"]


def test_numbers_of_a_definition_keep_their_digits(client: FlaskClient) -> None:
    text = (b'{"actor":{"mbox":"mailto:a@x.example"},"verb":{"id":"http://x.example/v"},"object":{"id":"http://x.example/a","definition":'
            b'{"extensions":{"http://e.example":123456789012345678901234567890.10}}}}')
    assert client.post("/xapi/statements", data=text, content_type="application/json").status_code == 200
    assert b"123456789012345678901234567890.10" in client.get("/xapi/activities", query_string={"activityId": ACTIVITY}).data
    assert b"123456789012345678901234567890.10" in client.get("/xapi/statements?format=canonical").data


def test_what_the_worker_learned_and_what_came_since_are_one(client_of: Any, services: Services) -> None:
    official, other = client_of("all", "define"), client_of("statements/write", "statements/read/mine")
    say(other, object=defined(name={"en": "Graffiti", "fr": "Feu"}))
    say(official, object=defined(name={"en": "Fire"}))
    learn = Definitions(services)
    assert learn() == 2
    say(other, object=defined(name={"en": "More graffiti", "de": "Feuer"}))
    say(official, object=defined(name={"nl": "Brand"}))
    assert activity(official)["definition"]["name"] == {"en": "Fire", "fr": "Feu", "de": "Feuer", "nl": "Brand"}
    learn._next = 0.0
    assert learn() == 2
    assert activity(official)["definition"]["name"] == {"en": "Fire", "fr": "Feu", "de": "Feuer", "nl": "Brand"}
    assert learn() == 0


def test_a_definition_outlives_any_number_of_statements_that_give_none(client: FlaskClient, services: Services) -> None:
    say(client, object=defined(name={"en": "Fire"}))
    bare = {"actor": {"mbox": "mailto:a@x.example"}, "verb": {"id": "http://x.example/v"}, "object": {"id": ACTIVITY}}
    for _ in range(3):
        client.post("/xapi/statements", json=[bare] * 400)
    learn = Definitions(services)
    while learn():
        pass
    assert activity(client)["definition"] == {"name": {"en": "Fire"}}
    assert canonical(client, limit="1")[0]["object"]["definition"] == {"name": {"en": "Fire"}}


def test_a_statement_that_was_voided_before_it_was_learned_teaches_nothing(client: FlaskClient, services: Services) -> None:
    name = client.post("/xapi/statements", json={"actor": {"mbox": "mailto:a@x.example"}, "verb": {"id": "http://x.example/v"},
                                                 "object": defined(name={"en": "Wrong"})}).json[0]
    say(client, verb={"id": "http://adlnet.gov/expapi/verbs/voided"}, object={"objectType": "StatementRef", "id": name})
    assert activity(client) == {"objectType": "Activity", "id": ACTIVITY}
    Definitions(services)()
    assert activity(client) == {"objectType": "Activity", "id": ACTIVITY}


def test_of_two_workers_at_the_same_slice_one_counts(services: Services) -> None:
    store = services.store.definitions
    first, second = {ACTIVITY: Known(b'{"a":1}')}, {ACTIVITY: Known(b'{"a":2}')}
    assert (store.learn(first, 0, 5), store.learn(second, 0, 4), store.learn(second, 3, 9)) == (True, False, False)
    assert store.of([ACTIVITY, "http://x.example/b"]) == (5, first)
    assert store.of([])[1] == {}
