"""Takes a JSON object apart into its members' exact bytes, and puts members together again."""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_NAME = re.compile(rb"""[ \t\r\n,{]*"(?:[^"\\]|\\.)*"[ \t\r\n]*:[ \t\r\n]*""", re.DOTALL)

Member = bytes | msgspec.Raw


def members(text: Member) -> dict[str, bytes]:
    """The members of a JSON object in order, each value the exact bytes received (no white space around them).

    The text must have passed a strict parser before: this one checks neither UTF-8 nor duplicate keys.
    """
    return {key: bytes(value) for key, value in _DECODER.decode(text).items()}


def elements(text: Member) -> list[bytes]:
    """The elements of a JSON array in order, each the exact bytes received."""
    return [bytes(value) for value in _LIST.decode(text)]


def is_object(text: bytes) -> bool:
    """True when the JSON value is an object."""
    return text[:1] == b"{"


def put_together(parts: Mapping[str, bytes]) -> bytes:
    """A JSON object of these members, values as they are."""
    return b"{" + b",".join(msgspec.json.encode(key) + b":" + value for key, value in parts.items()) + b"}"


def put_array(values: Iterable[bytes]) -> bytes:
    """A JSON array of these values, as they are."""
    return b"[" + b",".join(values) + b"]"


def replaced(text: bytes, changed: Mapping[str, bytes]) -> bytes:
    """The object with the values of some members replaced; every other byte, white space included, stays."""
    pieces: list[bytes] = []
    kept = at = 0
    for key, value in members(text).items():
        name = _NAME.match(text, at)
        assert name is not None  # the text has passed a strict parser
        start = name.end()
        at = start + len(value)
        if key in changed:
            pieces += (text[kept:start], changed[key])
            kept = at
    pieces.append(text[kept:])
    return b"".join(pieces)
