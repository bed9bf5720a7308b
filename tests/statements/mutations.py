"""Single faults as data: (rule, expected pointer, where to patch a valid statement, what to put there)."""
from __future__ import annotations

import copy
from typing import Any

GONE = object()  # take the property away
AGENT = {"mbox": "mailto:ann@example.com"}
GROUP = {"objectType": "Group", "member": [AGENT, {"openid": "http://open.example/x"}]}
VERB = {"id": "http://adlnet.gov/expapi/verbs/answered", "display": {"en-US": "answered"}}
ACTIVITY = {"id": "http://example.com/quiz/1"}
REFERENCE = {"objectType": "StatementRef", "id": "7c1e4f43-9b1a-4f0e-8f43-0123456789ab"}
ATTACHMENT = {
    "usageType": "http://example.com/certificate", "display": {"en": "Certificate"}, "description": {"en": ""},
    "contentType": "application/pdf", "length": 27, "sha2": "ab" * 32, "fileUrl": "http://example.com/c.pdf",
}
SUB = {"objectType": "SubStatement", "actor": AGENT, "verb": VERB, "object": ACTIVITY}

STATEMENT: dict[str, Any] = {
    "id": "6690e6c9-3ef0-4ed3-8b37-7f3964730bee",
    "actor": {"objectType": "Agent", "name": "Ann", "account": {"homePage": "http://lms.example", "name": "17"}},
    "verb": VERB,
    "object": {
        "objectType": "Activity", "id": "http://example.com/quiz",
        "definition": {
            "name": {"en": "Quiz"}, "description": {"de": ""}, "type": "http://adlnet.gov/expapi/activities/cmi.interaction",
            "moreInfo": "http://example.com/about", "interactionType": "choice", "correctResponsesPattern": ["a[,]b"],
            "choices": [{"id": "a", "description": {"en": "A"}}, {"id": "b"}], "extensions": {"http://x.example/e": None},
        },
    },
    "result": {
        "score": {"scaled": 0.5, "raw": 50, "min": 0, "max": 100}, "success": True, "completion": False,
        "response": "", "duration": "PT1H30M", "extensions": {},
    },
    "context": {
        "registration": "ec531277-b57b-4c15-8d91-d292c5b2b8f7", "instructor": AGENT, "team": GROUP,
        "contextActivities": {"parent": [ACTIVITY], "grouping": ACTIVITY, "category": [], "other": [ACTIVITY]},
        "revision": "1", "platform": "x", "language": "en-US", "statement": REFERENCE, "extensions": {"tag:x,1": {}},
    },
    "timestamp": "2026-11-24T11:00:00.123Z", "stored": "2026-11-24T11:00:01Z", "version": "1.0.0",
    "authority": {"mbox": "mailto:lrs@example.com"}, "attachments": [ATTACHMENT],
}

UUID = "7c1e4f43-9b1a-4f0e-8f43-0123456789ab"
D, R, C, A = "/object/definition", "/result", "/context", "/attachments/0"
Row = tuple[str, str, str, Any]


def _at(rule: str, place: str, *values: Any) -> list[Row]:
    return [(rule, place, place, value) for value in values]


def _each(rule: str, places: str, *values: Any) -> list[Row]:
    return [row for place in places.split() for row in _at(rule, place, *values)]


def _gone(rule: str, where: str, *names: str) -> list[Row]:
    return [(rule, where, f"{where}/{name}", GONE) for name in names]


MUTATIONS: list[Row] = [
    *_each("null", f"/id /actor /verb /object /result /context /timestamp /attachments {D} {D}/name {R}/score"
           f" {R}/score/raw {R}/success {R}/response {R}/duration {C}/registration {C}/contextActivities {C}/extensions"
           f" {C}/contextActivities/parent {A}/sha2 /actor/name /actor/account /verb/display /verb/display/en-US", None),
    *_at("null", f"{C}/contextActivities/parent/0", None),
    *_each("type", f"/actor /verb /object {R} {C} {A} {D} {R}/score {C}/contextActivities {R}/extensions /actor/account", 5),
    *_each("type", f"{R}/success {R}/completion", "true", 1, 0),
    *_each("type", f"{R}/score/scaled {R}/score/raw {R}/score/min {R}/score/max", "5", True),
    *_each("type", f"{R}/response {C}/revision {C}/platform /actor/name {D}/interactionType /version", 1),
    *_each("type", f"/id {C}/registration {C}/language {R}/duration /timestamp /verb/id /object/id {A}/contentType", 7),
    *_each("type", f"{D}/choices {D}/correctResponsesPattern /attachments", "x", {}),
    *_at("type", f"{D}/correctResponsesPattern/0", 1),
    *_at("type", f"{C}/instructor", [AGENT]),
    *_at("type", f"{D}/name/en", 1),
    *_at("type", "/verb", "completed"),
    *_at("type", f"{A}/length", "27"),
    *_each("property.unknown", f"/timestmp /verb/name /object/extensions {D}/extra {R}/grade {R}/score/weight {C}/lang {C}/contextAgents"
           f" /actor/email /actor/account/id {A}/url {D}/choices/0/name {C}/statement/x"
           f" {C}/contextActivities/grouping/extensions", {}),
    *_each("property.case", f"/Timestamp /verb/Id /object/objecttype {R}/Score {R}/score/Raw {C}/Registration", "x"),
    *_at("object_type", "/object/objectType", "GroupActivity", "activity", "", "Statement"),
    *_at("object_type", "/actor/objectType", "agent", "Activity", "group"),
    *_at("object_type", f"{C}/contextActivities/grouping", {**ACTIVITY, "objectType": "GroupActivity"}),
    *_each("iri.scheme", f"/object/id /verb/id {D}/type {D}/moreInfo {A}/usageType {A}/fileUrl", UUID, "completed", ""),
    *_at("iri.scheme", "/actor/account/homePage", "lms", ""),
    *_at("iri.scheme", f"{C}/contextActivities/grouping/id", UUID),
    *_each("iri.characters", "/object/id /verb/id", "http://a b", "http://x/<y>", "http://x/%zz", "http://x/\n"),
    *_each("extension.key", f"{D}/extensions/sessionId {R}/extensions/sessionId {C}/extensions/sessionId", 1),
    *_each("language.map", f"{D}/name {D}/description /verb/display {A}/display {D}/choices/0/description", "Quiz", []),
    *_each("language.tag", f"{D}/name/en_US {D}/description/e /verb/display/abcdefghi {A}/display/en-toolongsubtag", "x"),
    *_at("language.tag", f"{C}/language", "", "en_US", "e", "en-"),
    *_each("uuid", f"/id {C}/registration {C}/statement/id", "", UUID[:-1], UUID + "0", UUID.replace("7", "g"),
           UUID.replace("-", ""), "{" + UUID + "}", UUID + "\n"),
    *_each("timestamp", "/timestamp /stored", "", "yesterday", "2026-11-24", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z",
           "2026-11-24 11:00:00Z", "2026-11-24T25:00:00Z", "2026-11-24T24:00:01Z", "2026-11-24T11:00:00+25:00",
           "2026-11-24T11:00:00Z\n", "24.11.2026T11:00", "0000-01-01T00:00:00Z", "2026-11-24T11:00:00." + "1" * 9999,
           "2026-11-24T11," + "1" * 9999),
    *_at("timestamp.zone", "/timestamp", "2026-11-24T11:00:00-00:00", "2026-11-24T11:00:00-00", "2026-11-24T11:00:00-0000"),
    *_at("duration", f"{R}/duration", "", "P", "PT", "1H", "P4W1D", "PT1.5H3M", "P1YT", "-PT1H", "PT1H ", "P00:01:00", "pt1h"),
    *_gone("statement.required", "", "actor", "verb", "object"),
    ("statement.void", "/object", "/verb/id", "http://adlnet.gov/expapi/verbs/voided"),
    *_at("statement.version", "/version", "1", "1.1.0", "1.00", "0.95", "2.0.0", "1.0.", "1.0.0 "),
    *_at("authority.group", "/authority", {"objectType": "Group", "member": [AGENT]},
         {"objectType": "Group", "member": [AGENT] * 3}, {**GROUP, **AGENT}, {"objectType": "Group", **AGENT}),
    *_each("actor.no_identifier", f"/actor {C}/instructor /authority", {}, {"name": "Ann"}, {"objectType": "Agent"}),
    *_each("actor.several_identifiers", f"/actor {C}/instructor /authority", {**AGENT, "openid": "http://x/y"}),
    *_at("actor.several_identifiers", f"{C}/team", {**GROUP, **AGENT, "openid": "http://x/y"}),
    ("agent.member", "/actor/member", "/actor/member", [AGENT]),
    *_at("group.member", "/actor", {"objectType": "Group"}, {"objectType": "Group", "name": "x"}),
    *_at("group.member", f"{C}/team", {"objectType": "Group"}),
    ("group.nested", f"{C}/team/member/0", f"{C}/team/member/0", GROUP),
    ("actor.no_identifier", f"{C}/team/member/1", f"{C}/team/member/1", {"name": "x"}),
    *_each("actor.mbox", f"{C}/instructor/mbox /authority/mbox {C}/team/member/0/mbox", "ann@example.com", "mailto:",
           "mailto:undefined", "", "mailto:a b@c", "mailto:a@b\n"),
    *[("actor.mbox_sha1sum", "/actor/mbox_sha1sum", "/actor", {"mbox_sha1sum": v}) for v in ("", "ab" * 19, "zz" * 20)],
    ("iri.scheme", "/actor/openid", "/actor", {"openid": "open.example"}),
    *_gone("account.required", "/actor/account", "homePage", "name"),
    *_at("account.required", "/actor/account", {}),
    *_gone("verb.id", "/verb", "id"),
    *_at("verb.id", "/verb", {}),
    *_gone("activity.id", "/object", "id"),
    *_at("activity.id", "/object", {}),
    *_at("activity.id", f"{C}/contextActivities/parent/0", {}),
    *_at("interaction.type", f"{D}/interactionType", "compound", "Choice", "", "true_false"),
    *[("interaction.type_missing", f"{D}/{key}", D, {key: []})
      for key in ("correctResponsesPattern", "choices", "scale", "source", "target", "steps")],
    *_gone("component.id", f"{D}/choices/0", "id"),
    ("component.distinct", f"{D}/choices/1/id", f"{D}/choices/1/id", "a"),
    *_gone("reference.id", f"{C}/statement", "id"),
    ("reference.id", "/object", "/object", {"objectType": "StatementRef"}),
    *[("substatement.forbidden", f"/object/{key}", "/object", {**SUB, key: STATEMENT[key]})
      for key in ("id", "stored", "version", "authority")],
    ("substatement.nested", "/object/object", "/object", {**SUB, "object": SUB}),
    ("statement.required", "/object", "/object", {k: v for k, v in SUB.items() if k != "verb"}),
    ("score.scaled", "/object/result/score/scaled", "/object", {**SUB, "result": {"score": {"scaled": 2}}}),
    ("timestamp", "/object/timestamp", "/object", {**SUB, "timestamp": "now"}),
    *_at("score.scaled", f"{R}/score/scaled", 1.01, -1.01, 50),
    *_at("score.bounds", f"{R}/score", {"min": 0, "max": 0}, {"min": 1.0, "max": 1}, {"min": 5, "max": 4}),
    ("score.raw_below_min", f"{R}/score/raw", f"{R}/score", {"raw": 18, "min": 24, "max": 60}),
    ("score.raw_above_max", f"{R}/score/raw", f"{R}/score", {"raw": 61, "max": 60}),
    *[("context.activity_only", f"{C}/{key}", "", {"actor": AGENT, "verb": VERB, "object": target, "context": {key: "x"}})
      for key in ("revision", "platform") for target in (REFERENCE, {**AGENT, "objectType": "Agent"}, GROUP, SUB)],
    *_at("context.team", f"{C}/team", AGENT, {"objectType": "Agent", **AGENT}),
    *_gone("context.statement", f"{C}/statement", "objectType"),
    *_at("context.statement", f"{C}/statement", {"id": UUID}, {**REFERENCE, "objectType": "statementRef"}),
    *_each("context.kind", f"{C}/contextActivities/Parent {C}/contextActivities/course", [ACTIVITY]),
    *_at("type", f"{C}/contextActivities/parent", "http://x/y"),
    *_gone("attachment.required", A, "usageType", "display", "contentType", "length", "sha2"),
    *_at("attachment.content_type", f"{A}/contentType", "", "pdf", "application/", "a/b c"),
    *_at("attachment.length", f"{A}/length", -1, 1.5),
    *_at("attachment.sha2", f"{A}/sha2", "", "hash", "ab" * 31),
    *_gone("attachment.data", A, "fileUrl"),
    ("attachment.signature", f"{A}/contentType", f"{A}/usageType", "http://adlnet.gov/expapi/attachments/signature"),
]


def patched(place: str, value: Any) -> dict[str, Any]:
    """The valid statement with one value put at a JSON pointer, or taken from there."""
    statement: Any = copy.deepcopy(STATEMENT)
    if not place:
        return copy.deepcopy(value)
    *way, last = place.split("/")[1:]
    holder = statement
    for key in way:
        holder = holder[int(key) if isinstance(holder, list) else key]
    if value is GONE:
        del holder[last]
    else:
        holder[int(last) if isinstance(holder, list) else last] = copy.deepcopy(value)
    return statement
