"""A body is strict JSON of statements within the limits, or it is refused with the place."""
from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrs.errors import Finding, Invalid, TooLarge
from lrs.statements.limits import Limits
from lrs.statements.parse import parse
from lrs.statements.rules import RULES

GOOD = b'{"actor":{"mbox":"mailto:a@b.c"},"verb":{"id":"http://x/v"},"object":{"id":"http://x/o"}}'
SMALL = Limits(body_max=500, statement_max=200, batch_max=3, depth_max=4, group_max=2)


def with_extension(value: bytes) -> bytes:
    return GOOD[:-1] + b',"context":{"extensions":{"urn:x":' + value + b"}}}"


def refused(body: bytes, limits: Limits | None = None) -> list[Finding]:
    with pytest.raises(Invalid) as caught:
        parse(body, limits or Limits())
    return caught.value.findings


REFUSALS: list[tuple[str, bytes, str]] = [
    ("json.empty", b"", "the body is empty"),
    ("json.empty", b" \n", "the body is empty"),
    ("json.syntax", b'{\n  "actor": {},\n}', "line 3, column 1"),
    ("json.syntax", GOOD + b" x", f"column {len(GOOD) + 2} "),
    ("json.syntax", GOOD + GOOD, "column"),
    ("json.syntax", b"{'a': 1}", "line 1, column 2"),
    ("json.syntax", b'{"a": 1 // why\n}', "line 1, column 9"),
    ("json.syntax", b'{"a": 01}', "line 1"),
    ("json.syntax", b'{"a": "tab\there"}', "line 1"),
    ("json.utf8", b'{"a": "\xff"}', "line 1, column 8"),
    ("json.utf8", b'{"a": "\xed\xa0\x80"}', "line 1, column 8"),
    ("json.bom", b"\xef\xbb\xbf" + GOOD, "byte order mark"),
    ("json.number", with_extension(b'["NaN", NaN]'), "column"),
    ("json.number", with_extension(b"-Infinity"), "column"),
    ("json.number", with_extension(b"1E400"), "column"),
    ("json.surrogate", with_extension(b'"\\ud800"'), "column"),
    ("json.surrogate", with_extension(b'"\\ud83d\\ude00\\udc00"'), "column"),
    ("json.surrogate", with_extension(b'"\\\\ud83d\\udc00"'), "column"),
    ("body.shape", b'"statement"', "an object"),
    ("body.shape", b"null", "an object"),
    ("json.duplicate", GOOD[:-1] + b',"verb":{"id":"http://x/w"}}', '"verb" occurs twice'),
    ("json.duplicate", with_extension(b'{"a":{"b":1,"b":1}}'), '"b" occurs twice'),
    ("json.duplicate", with_extension(b'{"a":1,"\\u0061":2}'), '"a" occurs twice'),
    ("json.duplicate", with_extension(b'{"\\u003a":"\\u003a","a":1,"a":2}'), '"a" occurs twice'),
    ("limit.depth", with_extension(b"[" * 98 + b"]" * 98), "depth_max"),
    ("limit.depth", with_extension(b"[" * 5000 + b"]" * 5000), "depth_max"),
    ("limit.depth", b"[" + with_extension(b"[" * 990 + b"]" * 990) + b"]", "depth_max"),
    ("limit.group", GOOD.replace(b'"mbox":"mailto:a@b.c"', b'"objectType":"Group","member":[' + b",".join(
        [b'{"mbox":"mailto:a@b.c"}'] * 1001) + b"]"), "group_max"),
    ("type", b"[1]", "must be an object"),
]


@pytest.mark.parametrize(("rule", "body", "words"), REFUSALS)
def test_what_is_not_strict_json_is_refused_with_its_place(rule: str, body: bytes, words: str) -> None:
    broken = refused(body)
    assert rule in [f.rule for f in broken]
    assert words in next(f.why for f in broken if f.rule == rule)


def test_no_rule_of_the_syntax_is_without_a_refusal() -> None:
    syntax = {key for key in RULES if key.split(".")[0] in ("json", "body", "limit")}
    assert syntax <= {row[0] for row in REFUSALS}


def test_a_repeated_key_is_named_by_pointer_and_index() -> None:
    broken = refused(b"[" + GOOD + b"," + with_extension(b'{"b":1,"b":1}') + b"]")
    assert [(f.index, f.where, f.rule) for f in broken] == [(1, "/context/extensions/urn:x/b", "json.duplicate")]


def test_a_body_with_one_structural_fault_still_lists_every_other_bad_statement() -> None:
    broken = refused(b'[7,{"verb":5},' + GOOD + b"]")
    assert {f.index for f in broken} == {0, 1}
    assert ("/verb", "type") in [(f.where, f.rule) for f in broken]


def test_one_statement_and_an_array_keep_the_exact_bytes() -> None:
    odd = with_extension(b'[1.0, 1e2, 0.10, 12345678901234567890, "\\u00e9\\/"]')
    assert [r.raw for r in parse(b"\n\t " + odd + b" \r\n", Limits())] == [odd]
    assert [r.raw for r in parse(b"[ " + odd + b" ,\n" + GOOD + b" ]", Limits())] == [odd, GOOD]


def test_an_empty_array_is_an_empty_batch() -> None:
    assert parse(b" [ ] ", Limits()) == []


def test_colons_in_strings_and_escapes_are_no_repeated_keys() -> None:
    assert len(parse(with_extension(b'{"a:b":"::","\\u003a":"\\u003A"}'), Limits())) == 1


def test_nul_and_paired_surrogates_are_valid() -> None:
    assert parse(with_extension(b'"\\u0000 \\ud83d\\ude00 \\\\ud800"'), Limits())


@pytest.mark.parametrize(("body", "setting", "limit"), [
    (b" " * 501, "body_max", 500),
    (with_extension(b'"' + b"x" * 100 + b'"'), "statement_max", 200),
    (b"[" + b",".join([b"{}"] * 4) + b"]", "batch_max", 3),
])
def test_a_limit_of_size_is_named_by_its_setting(body: bytes, setting: str, limit: int) -> None:
    with pytest.raises(TooLarge) as caught:
        parse(body, SMALL)
    assert (caught.value.setting, caught.value.limit) == (setting, limit)
    assert setting in str(caught.value)


def group(count: int) -> bytes:
    return json.dumps({"objectType": "Group", "member": [{"openid": "x:y"}] * count}).encode()


@pytest.mark.parametrize("wrap", [
    lambda g: GOOD.replace(b'{"mbox":"mailto:a@b.c"}', g),
    lambda g: GOOD[:-1] + b',"context":{"team":' + g + b"}}",
    lambda g: GOOD.replace(b'{"id":"http://x/o"}', g),
    lambda g: GOOD.replace(b'{"id":"http://x/o"}', b'{"objectType":"SubStatement",' + GOOD.replace(
        b'{"mbox":"mailto:a@b.c"}', g)[1:]),
])
def test_a_group_beyond_its_limit_is_refused_wherever_it_stands(wrap: Callable[[bytes], bytes]) -> None:
    limits = Limits(group_max=2)
    assert parse(wrap(group(2)), limits)
    assert [f.rule for f in refused(wrap(group(3)), limits)] == ["limit.group"]


def test_the_deepest_nesting_that_is_allowed_passes_and_one_level_more_does_not() -> None:
    limits = Limits(depth_max=6)
    assert parse(with_extension(b"[[[]]]"), limits)
    assert [f.rule for f in refused(with_extension(b"[[[[]]]]"), limits)] == ["limit.depth"]


PIECES = st.sampled_from(["{", "}", "[", "]", ",", ":", '"', '"a"', '"a":', '"\\u003a"', "1", "1e5", "NaN", "null", " ",
                          "\\ud800", "\\", "\ufeff", "\x00"])


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.binary(max_size=40), st.lists(PIECES, max_size=14).map(lambda p: "".join(p).encode())))
def test_whatever_arrives_is_read_or_refused_and_nothing_else(body: bytes) -> None:
    try:
        broken = None if parse(body, Limits()) is not None else []
    except Invalid as refusal:
        broken = refusal.findings
    assert broken is None or broken  # a refusal says why


KEYS = st.sampled_from(["a", "b", "a:", "\\u003a", "\\u0061"])
OBJECTS = st.recursive(st.sampled_from(["1", '":"', '"\\u003a"', "[]"]), lambda inner: st.lists(
    st.tuples(KEYS, inner), max_size=3).map(lambda kv: "{" + ",".join(f'"{k}":{v}' for k, v in kv) + "}"), max_leaves=8)


@settings(max_examples=300, deadline=None)
@given(OBJECTS)
def test_a_repeated_key_never_passes_and_nothing_else_is_taken_for_one(text: str) -> None:
    repeated = False

    def hook(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal repeated
        repeated |= len(dict(pairs)) < len(pairs)
        return dict(pairs)

    json.loads(text, object_pairs_hook=hook)
    try:
        parse(with_extension(text.encode()), Limits())
        refused_it = False
    except Invalid as refusal:
        refused_it = any(f.rule == "json.duplicate" for f in refusal.findings)
    assert refused_it == repeated
