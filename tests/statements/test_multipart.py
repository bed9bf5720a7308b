"""Parts come out of a multipart body as they went in, however the body is cut into pieces."""
from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrs.errors import Invalid
from lrs.statements.multipart import Parts

BOUNDARY = "b-1"


class Dribble(io.BytesIO):
    """A stream that gives a few bytes at a time."""

    def __init__(self, body: bytes, at_most: int) -> None:
        super().__init__(body)
        self._at_most = at_most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(self._at_most, size or 1))


def joined(parts: list[bytes], newline: bytes, headers: bytes = b"Content-Type: x/y") -> bytes:
    mark = b"--" + BOUNDARY.encode()
    return b"".join(mark + newline + headers + newline * 2 + one + newline for one in parts) + mark + b"--" + newline


def read(body: bytes, at_most: int = 7) -> list[tuple[dict[str, str], bytes]]:
    return [(headers, b"".join(content)) for headers, content in Parts(Dribble(body, at_most), f"multipart/mixed; boundary={BOUNDARY}")]


TRICKY = st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--b-", b"\r\n--b", b"x"])).map(b"".join)
contents = st.lists(st.binary(max_size=60) | TRICKY, max_size=4)


@given(contents.filter(lambda parts: not any(f"\n--{BOUNDARY}".encode() in b"\n" + one for one in parts)), st.integers(1, 90))
def test_every_byte_of_every_part_comes_back(parts: list[bytes], at_most: int) -> None:
    assert read(joined(parts, b"\r\n"), at_most) == [({"content-type": "x/y"}, one) for one in parts]


@given(contents.filter(lambda parts: not any(f"\n--{BOUNDARY}".encode() in b"\n" + one or one.endswith(b"\r") for one in parts)))
def test_bare_line_feeds_do_too(parts: list[bytes]) -> None:
    assert [content for _, content in read(joined(parts, b"\n"))] == parts


def test_what_stands_before_and_after_is_no_part() -> None:
    body = b"This is a message with parts.\r\n" + joined([b"one"], b"\r\n") + b"and an epilogue\r\n--b-1\r\n"
    assert [content for _, content in read(body)] == [b"one"]


def test_a_part_may_have_no_headers() -> None:
    assert read(b"--b-1\r\n\r\nplain\r\n--b-1--") == [({}, b"plain")]


def test_a_part_that_is_not_read_is_skipped() -> None:
    parts = Parts(Dribble(joined([b"a" * 500, b"b"], b"\r\n"), 11), f"multipart/mixed; boundary=\"{BOUNDARY}\"")
    assert [headers["content-type"] for headers, _ in parts] == ["x/y", "x/y"]


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_parts_or_refused(body: bytes, at_most: int) -> None:
    refused = []
    try:
        read(b"--b-1" + body, at_most)
    except Invalid as refusal:
        refused = refusal.findings
    assert all(one.rule.startswith("multipart.") for one in refused)


@pytest.mark.parametrize("size", [17_000, 200_000])
def test_headers_without_an_end_are_refused_early(size: int) -> None:
    with pytest.raises(Invalid):
        read(b"--b-1\r\nA: " + b"x" * size, 4096)
