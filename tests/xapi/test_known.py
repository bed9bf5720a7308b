"""GET /xapi/activities and /xapi/agents: what statements have said about them."""
from __future__ import annotations

import json
from typing import Any

from flask.testing import FlaskClient

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
