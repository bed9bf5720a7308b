"""Valid statements of every kind, as exact JSON text with the number forms that parsers like to change."""
from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import strategies as st


class Exact(str):
    """A number in exactly these digits."""


NUMBERS = ("1.0", "1e2", "0.10", "12345678901234567890", "-0.0", "1E-7", "123456789012345678901234567890", "0", "7")
LANGUAGES = ("en", "en-US", "en-us", "zh-Hant-TW", "de-CH-1996", "i-klingon", "x-own", "es-419", "und")
IRIS = ("http://example.com/a", "urn:articulate:storyline:5v", "tag:example.com,2026:x", "app:x", "https://e.com/ü?q=%20#f")
TIMES = ("2026-11-24T11:00:00Z", "2026-11-24T11:00:00", "2026-11-24T19:00:00.123456789+08:00", "2026-02-28T23:59:59.1-0330",
         "20261124T110000Z", "2024-02-29T24:00:00Z", "2026-W48-2T11:00Z", "2026-11-24T11:00:00,5Z", "2026-06-30T23:59:60Z")
DURATIONS = ("PT4H35M59.14S", "PT16559.14S", "P3Y1M29DT4H35M59.14S", "P3Y", "P4W", "PT0S", "P0.5Y", "PT1,5S", "PT36H")
TEXTS = ("", "plain", "ünïcödé 😀", "line\nbreak", 'quo"te', "\u0000", "::", "a" * 300)
COMPONENTS = {"choice": ("choices",), "sequencing": ("choices",), "likert": ("scale",), "matching": ("source", "target"),
              "performance": ("steps",), "true-false": (), "fill-in": (), "long-fill-in": (), "numeric": (), "other": ()}


def text_of(value: Any) -> str:
    """JSON text with the digits of every `Exact` as they are."""
    if isinstance(value, Exact):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}: {text_of(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(text_of, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


class Statements:
    """Draws valid statements from a source of chance."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.pick = chance.choice

    def some(self, **properties: Any) -> dict[str, Any]:
        """A random part of the properties, in random order; each value is a function that draws it."""
        names = [name for name in properties if self.chance.random() < 0.5]
        self.chance.shuffle(names)
        return {name: properties[name]() for name in names}

    def uuid(self) -> str:
        text = f"{self.chance.getrandbits(128):032x}"
        text = "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
        return text.upper() if self.chance.random() < 0.2 else text

    def texts(self) -> dict[str, str]:
        return {self.pick(LANGUAGES): self.pick(TEXTS) for _ in range(self.chance.randrange(3))}

    def anything(self, depth: int = 2) -> Any:
        kinds = [None, True, "", {}, [], Exact(self.pick(NUMBERS)), self.pick(TEXTS)]
        if depth:
            kinds += [[self.anything(depth - 1)], {"any key": self.anything(depth - 1), "$a.b": None}]
        return self.pick(kinds)

    def extensions(self) -> dict[str, Any]:
        return {self.pick(IRIS): self.anything() for _ in range(self.chance.randrange(3))}

    def identifier(self) -> dict[str, Any]:
        return self.pick([
            {"mbox": "mailto:Ann.O+x@Example.COM"}, {"mbox_sha1sum": "AB" * 20}, {"openid": self.pick(IRIS)},
            {"account": {"name": self.pick(TEXTS), "homePage": self.pick(IRIS)}},
        ])

    def agent(self) -> dict[str, Any]:
        return {**self.some(objectType=lambda: "Agent", name=lambda: self.pick(TEXTS)), **self.identifier()}

    def group(self) -> dict[str, Any]:
        members = {"member": [self.agent() for _ in range(self.chance.randrange(4))]}
        named = self.some(name=lambda: self.pick(TEXTS))
        return {**self.pick([members, self.identifier(), {**members, **self.identifier()}]), "objectType": "Group", **named}

    def component_list(self) -> list[dict[str, Any]]:
        return [{"id": name, **self.some(description=self.texts)} for name in ("a", "b", "")[: self.chance.randrange(4)]]

    def definition(self) -> dict[str, Any]:
        iri = lambda: self.pick(IRIS)  # noqa: E731
        found = self.some(name=self.texts, description=self.texts, type=iri, moreInfo=iri, extensions=self.extensions)
        if self.chance.random() < 0.5:
            kind = self.pick(list(COMPONENTS))
            found |= {"interactionType": kind, "correctResponsesPattern": [self.pick(TEXTS)]}
            found |= {name: self.component_list() for name in COMPONENTS[kind]}
        return found

    def activity(self) -> dict[str, Any]:
        return {"id": self.pick(IRIS), **self.some(objectType=lambda: "Activity", definition=self.definition)}

    def reference(self) -> dict[str, Any]:
        return {"id": self.uuid(), "objectType": "StatementRef"}

    def score(self) -> dict[str, Any]:
        return self.pick([
            {"scaled": Exact("1.0"), "raw": Exact("1e2"), "min": Exact("0.10"), "max": Exact("100.0")},
            {"raw": Exact("12345678901234567890"), "max": Exact("12345678901234567890")},
            {"min": Exact("12345678901234567890"), "max": Exact("12345678901234567891")},
            {"scaled": Exact("-1")}, {"raw": Exact("-5.50")}, {"min": Exact("-1e3"), "max": 0}, {},
        ])

    def result(self) -> dict[str, Any]:
        flag = lambda: self.pick([True, False])  # noqa: E731
        return self.some(score=self.score, success=flag, completion=flag, response=lambda: self.pick(TEXTS),
                         duration=lambda: self.pick(DURATIONS), extensions=self.extensions)

    def context_activities(self) -> dict[str, Any]:
        one_or_many = lambda: self.pick([self.activity(), [], [self.activity(), self.activity()]])  # noqa: E731
        return self.some(parent=one_or_many, grouping=one_or_many, category=one_or_many, other=one_or_many)

    def context(self, of_activity: bool) -> dict[str, Any]:
        text = lambda: self.pick(TEXTS)  # noqa: E731
        found = self.some(registration=self.uuid, instructor=lambda: self.pick([self.agent, self.group])(),
                          team=self.group, contextActivities=self.context_activities, statement=self.reference,
                          language=lambda: self.pick(LANGUAGES), extensions=self.extensions)
        return {**found, **(self.some(revision=text, platform=text) if of_activity else {})}

    def attachment(self) -> dict[str, Any]:
        return {
            "usageType": self.pick(IRIS), "display": self.texts(), "contentType": "text/plain; charset=utf-8",
            "length": Exact(self.pick(["0", "27", "27.0"])), "sha2": self.pick(["a1" * 28, "A1" * 32, "a1" * 48, "a1" * 64]),
            "fileUrl": self.pick(IRIS), **self.some(description=self.texts),
        }

    def body(self, nested: bool) -> dict[str, Any]:
        target = self.pick([self.activity, self.activity, lambda: {**self.agent(), "objectType": "Agent"}, self.group,
                            self.reference, *([] if nested else [self.sub_statement])])()
        of_activity = target.get("objectType", "Activity") == "Activity"
        verb = {"id": self.pick(IRIS), **self.some(display=self.texts)}
        parts = {
            "actor": self.pick([self.agent, self.group])(), "verb": verb, "object": target,
            **self.some(result=self.result, context=lambda: self.context(of_activity), timestamp=lambda: self.pick(TIMES),
                        attachments=lambda: [self.attachment()]),
        }
        names = list(parts)
        self.chance.shuffle(names)
        return {name: parts[name] for name in names}

    def sub_statement(self) -> dict[str, Any]:
        return {**self.body(nested=True), "objectType": "SubStatement"}

    def statement(self) -> str:
        """The JSON text of a valid statement."""
        pair = {"objectType": "Group", "member": [self.agent(), self.agent()]}
        ours = self.some(id=self.uuid, stored=lambda: self.pick(TIMES), version=lambda: self.pick(["1.0.0", "1.0.9", "1.0"]),
                         authority=lambda: self.pick([self.agent(), pair]))
        return text_of({**self.body(nested=False), **ours})


def statements(seed: int, count: int) -> list[str]:
    """`count` valid statements, the same for the same seed."""
    drawn = Statements(random.Random(seed))
    return [drawn.statement() for _ in range(count)]


def valid_statements() -> st.SearchStrategy[str]:
    """A hypothesis strategy of the same statements."""
    return st.randoms(use_true_random=False).map(lambda chance: Statements(chance).statement())
