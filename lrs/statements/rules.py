"""The rules that a statement of xAPI 1.0.x is held to: key, section of the standard, and the sentence of a refusal."""
from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """`section` is one of xAPI 1.0.3 Data, or of Communication when that word stands before it.
    `sentence` says what is wrong and what to send; names in braces are filled in from the statement."""

    key: str
    section: str
    sentence: str


_ROWS = (
    # The body
    ("json.syntax", "Communication 3.2", "not JSON: line {line}, column {column} ({detail})"),
    ("json.empty", "Communication 3.2", "the body is empty"),
    ("json.utf8", "Communication 1.4", "not UTF-8: line {line}, column {column}"),
    ("json.bom", "Communication 1.4", "a byte order mark stands before the JSON. Send the body without it"),
    ("json.number", "Communication 3.2", "no number that JSON knows or a double holds: line {line}, column {column}"),
    ("json.surrogate", "Communication 1.4", "half a character (a lone surrogate): line {line}, column {column}"),
    ("json.duplicate", "2.2", "\"{key}\" occurs twice"),
    ("body.shape", "Communication 2.1.2", "a statement (an object) or an array of statements is expected"),
    ("batch.id_twice", "Communication 2.1.2", "this id stands at index {first} and at index {index} of the batch"),
    ("limit.depth", "limit", "nested deeper than {limit} levels (setting depth_max)"),
    ("limit.group", "limit", "{count} members; at most {limit} are taken (setting group_max)"),
    # Every object
    ("null", "2.2", "null is not allowed. Leave the property out"),
    ("type", "2.2", "must be {expected}, not {actual}"),
    ("property.unknown", "2.2", "no such property.{advice}"),
    ("property.case", "2.2", "no such property: keys have case. Write \"{right}\""),
    ("object_type", "2.2", "\"{found}\" is no object type of xAPI here. Leave it out or send {allowed}"),
    ("iri.scheme", "2.2", "IRI without a scheme: \"{found}\". Send {advice}"),
    ("iri.characters", "4.3", "an IRI may not hold {character}: \"{found}\". Percent-encode it"),
    ("extension.key", "4.1", "extension keys are IRIs; \"{found}\" has no scheme or holds a character no IRI may hold"),
    ("language.map", "4.2", "must be a language map, e.g. {{\"en\": \"…\"}}"),
    ("language.tag", "4.2", "not a language tag of RFC 5646: \"{found}\". Send e.g. en or en-US"),
    ("uuid", "4.4", "not a UUID in standard form (8-4-4-4-12 hexadecimal digits): \"{found}\""),
    ("timestamp", "4.5", "not a timestamp of ISO 8601: \"{found}\". Send e.g. 2026-11-24T12:00:00Z"),
    ("timestamp.zone", "4.5", "the zone -00:00 is not one of ISO 8601: \"{found}\". Send Z"),
    ("duration", "4.6", "not a duration of ISO 8601 (4.4.3.2): \"{found}\". Send e.g. PT1H30M or P4W"),
    # The statement
    ("statement.required", "2.2", "a statement needs \"{missing}\""),
    ("statement.void", "2.3.2", "a voiding statement's object must be a StatementRef with the id of the statement it voids"),
    ("statement.version", "2.4.10", "version must be of the {line} line, e.g. \"{line}.0\"; it is \"{found}\""),
    ("authority.group", "2.4.9", "authority is an Agent, or an anonymous Group of exactly two Agents (OAuth)"),
    # Actors
    ("actor.no_identifier", "2.4.2.1", "an Agent needs one of mbox, mbox_sha1sum, openid or account"),
    ("actor.several_identifiers", "2.4.2.3", "exactly one identifier is allowed; here are {several}"),
    ("agent.member", "2.4.2.1", "an Agent has no members. Send objectType \"Group\""),
    ("group.member", "2.4.2.2", "a Group without identifier needs \"member\""),
    ("group.nested", "2.4.2.2", "a Group cannot be a member of a Group"),
    ("actor.mbox", "2.4.2.3",
     "not a mailto IRI with an address. Send an account (homePage, name) for a learner without e-mail"),
    ("actor.mbox_sha1sum", "2.4.2.3", "not a SHA-1 in 40 hexadecimal digits: \"{found}\""),
    ("account.required", "2.4.2.4", "account needs homePage (an IRI) and name"),
    # Verb and object
    ("verb.id", "2.4.3", "a verb needs \"id\" (an IRI)"),
    ("activity.id", "2.4.4.1", "an Activity needs \"id\" (an IRI)"),
    ("interaction.type", "2.4.4.1", "\"{found}\" is none of the ten interaction types. Leave interactionType out"),
    ("interaction.type_missing", "2.4.4.1", "{needing} needs interactionType beside it"),
    ("component.id", "2.4.4.1", "an interaction component needs \"id\""),
    ("component.distinct", "2.4.4.1", "the id \"{found}\" occurs twice in this list"),
    ("reference.id", "2.4.4.3", "a StatementRef needs \"id\" (the UUID of a statement)"),
    ("substatement.forbidden", "2.4.4.3", "a SubStatement has no \"{key}\""),
    ("substatement.nested", "2.4.4.3", "a SubStatement cannot hold a SubStatement"),
    # Result and context
    ("score.scaled", "2.4.5.1", "scaled must be between -1 and 1; it is {found}"),
    ("score.bounds", "2.4.5.1", "min must be below max; {bounds}"),
    ("score.raw_below_min", "2.4.5.1",
     "raw {raw} is below min {min}. min is the lowest possible score, not the pass mark"),
    ("score.raw_above_max", "2.4.5.1", "raw {raw} is above max {max}. max is the highest possible score"),
    ("context.activity_only", "2.4.6", "\"{key}\" is allowed only where the object is an Activity"),
    ("context.team", "2.4.6", "team must be a Group"),
    ("context.statement", "2.4.6", "must be a StatementRef: objectType \"StatementRef\" and id"),
    ("context.around", "2.0 4.2.2.5", "a {kind} needs \"{missing}\""),
    ("context.relevant_types", "2.0 4.2.2.5", "relevantTypes must not be empty. Leave it out, or name IRIs"),
    ("context.group", "2.0 4.2.2.5", "group must be a Group: objectType \"Group\""),
    ("context.kind", "2.4.6.2", "contextActivities has parent, grouping, category and other; no \"{key}\""),
    # Attachments
    ("attachment.required", "2.4.11", "an attachment needs \"{missing}\""),
    ("attachment.content_type", "2.4.11", "not an Internet media type: \"{found}\""),
    ("attachment.length", "2.4.11", "length is a whole number of octets; it is {found}"),
    ("attachment.sha2", "2.4.11", "not a SHA-2 hash in hexadecimal digits: \"{found}\""),
    ("attachment.data", "Communication 1.5.2", "give a fileUrl, or send multipart/mixed with the data"),
    ("attachment.signature", "2.6", "a signature has the contentType application/octet-stream"),
)

RULES: dict[str, Rule] = {key: Rule(key, section, sentence) for key, section, sentence in _ROWS}

# Where a finding's place says more than its rule: (rule, pattern of the JSON pointer, sentence). The first one wins.
HINTS: tuple[tuple[str, re.Pattern[str], str], ...] = tuple(
    (rule, re.compile(pattern), sentence)
    for rule, pattern, sentence in (
        ("type", r"(/object)?/verb", "this is a statement of xAPI 0.9; accepted are those of 1.0.x. A verb is an object"
         " with \"id\" (an IRI)"),
        ("iri.scheme", r"(/object)?/verb/id", "IRI without a scheme: \"{found}\". Send the IRI of the verb; this is how"
         " xAPI 0.9 named verbs"),
        ("iri.scheme", r".*/account/homePage", "homePage is no IRI: \"{found}\". account needs homePage (an IRI) and name"),
        ("type", r".*/context/instructor", "must be one Agent or Group. Several: one Group with members"),
        ("property.unknown", r".*/context/context(Agents|Groups)", "no such property in xAPI 1.0.x. Send the header"
         " X-Experience-API-Version: 2.0.0"),
        ("property.unknown", r".*/(object|parent|grouping|category|other)(/\d+)?/extensions",
         "no such property here. It belongs into definition.extensions"),
    )
)


_ABOUT = """# What a statement is held to

A statement is stored as it was sent, or refused; nothing is repaired on the way in. A batch with one bad statement is
refused whole, and the answer (400) lists every bad statement with its index, a JSON pointer, the rule, its section and
what was found: of a batch the first 100 bad statements, of a statement its first 1 000 faults. Sections are those of
xAPI 1.0.3 Part 2 (Data), or of Part 3 where "Communication" stands before the number; "limit" is a setting of this
LRS. Names in ‹ › are filled in from the statement.

Text beyond `body_max` or `statement_max` and a batch beyond `batch_max` are answered with 413.
"""

_NOT_CHECKED = """
## Valid, though often taken for wrong

Empty strings where no format is asked for; empty `extensions`, `context`, `result`, `definition` and language maps; any
value inside extensions, null too; one Activity instead of an array in `contextActivities`; a verb without `display`;
`interactionType` without the type cmi.interaction; timestamps without zone, with any offset, with any digits (to
300 characters), and in the future; IRIs of any scheme; UUIDs of any version and variant; an empty list of members; component
lists and response patterns that do not belong to the interaction type; an empty array as a batch.

Numbers of a score are compared digit by digit, as they were sent.
"""


def section(key: str) -> str:
    """The section of the standard that holds the rule."""
    return RULES[key].section


def sentence(key: str, where: str) -> str:
    """The sentence for a broken rule at a JSON pointer, its names in braces not yet filled in."""
    for rule, pattern, hint in HINTS:
        if rule == key and pattern.fullmatch(where):
            return hint
    return RULES[key].sentence


def markdown() -> str:
    """`docs/validation.md`: what the LRS refuses, the table of all rules, and what it does not check."""
    rows = [f"| `{r.key}` | {r.section} | {r.sentence.format_map(_Names())} |" for r in RULES.values()]
    hints = [f"| `{rule}` | `{pattern.pattern.replace('|', chr(92) + '|')}` | {hint.format_map(_Names())} |"
             for rule, pattern, hint in HINTS]
    return "\n".join([
        _ABOUT,
        "| Rule | Section | Sentence |", "|---|---|---|", *rows, "",
        "Where the place of a finding says more, another sentence takes its place:", "",
        "| Rule | JSON pointer (pattern) | Sentence |", "|---|---|---|", *hints,
        _NOT_CHECKED,
    ])


class _Names(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"‹{key}›"
