"""Says whether a text has a format of the standard: IRI, UUID, language tag, mbox, timestamp, duration, media type."""
from __future__ import annotations

import re

from lrs.memo import Memo
from lrs.statements.instants import instant

_REMEMBERED = 8_192
_TIMESTAMP_LENGTH = 300  # digits enough for anyone, and few enough to compute with

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f<>\"{}|\\^`\ud800-\udfff]|%(?![0-9A-Fa-f]{2})")  # RFC 3987, 2.2
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_MBOX = re.compile(r"mailto:[^\s@<>\x00-\x1f\x7f]+@[^\s@<>\x00-\x1f\x7f]+")
_SHA1 = re.compile(r"[0-9A-Fa-f]{40}")
_SHA2 = re.compile(r"(?:[0-9A-Fa-f]{56}|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{96}|[0-9A-Fa-f]{128})")
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~\-]+"
_MEDIA_TYPE = re.compile(rf"{_TOKEN}/{_TOKEN}[ \t]*(?:;.*)?", re.ASCII)
_VERSION = r"(?:\.[0-9]+(?:-[0-9A-Za-z.\-]+)?)?"
_VERSIONS = {"1.0": re.compile(r"1\.0" + _VERSION), "2.0": re.compile(r"[12]\.0" + _VERSION)}
_DURATION = re.compile(
    r"P(?=.)(?:\d+(?:[.,]\d+)?W"
    r"|(?:\d+(?:[.,]\d+(?=Y\Z))?Y)?(?:\d+(?:[.,]\d+(?=M\Z))?M)?(?:\d+(?:[.,]\d+(?=D\Z))?D)?"
    r"(?:T(?=\d)(?:\d+(?:[.,]\d+(?=H\Z))?H)?(?:\d+(?:[.,]\d+(?=M\Z))?M)?(?:\d+(?:[.,]\d+)?S)?)?)",
    re.ASCII,
)
# RFC 5646, 2.1, with the irregular tags of its list; case does not count.
_LANGUAGE = re.compile(
    r"(?:(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
    r"|x(?:-[a-z0-9]{1,8})+|en-GB-oed|i-(?:ami|bnn|default|enochian|hak|klingon|lux|mingo|navajo|pwn|tao|tay|tsu)"
    r"|sgn-(?:BE-FR|BE-NL|CH-DE)|art-lojban|cel-gaulish|no-(?:bok|nyn)|zh-(?:guoyu|hakka|min|min-nan|xiang))",
    re.ASCII | re.IGNORECASE,
)
# The form nearly all senders use, on a day that every month has, needs no look into the calendar.
_COMMON = re.compile(
    r"(?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|\+(?:[01]\d|2[0-3]):[0-5]\d)?",
    re.ASCII,
)
_DATE_TIME = re.compile(
    r"\d{4}(?:-\d{2}-\d{2}|-\d{3}|-W\d{2}-[1-7])"
    r"[Tt]\d{2}(?::\d{2}(?::\d{2})?)?(?:[.,]\d+)?(?:[Zz]|[+-]\d{2}(?::?\d{2})?)?"
    r"|\d{4}(?:\d{4}|\d{3}|W\d{2}[1-7])[Tt]\d{2}(?:\d{2}(?:\d{2})?)?(?:[.,]\d+)?(?:[Zz]|[+-]\d{2}(?:\d{2})?)?",
    re.ASCII,
)
_ZONE = re.compile(r"[+-](\d{2}):?(\d{2})?\Z", re.ASCII)
_MIDNIGHT = re.compile(r".*[Tt]24(?::?00(?::?00)?)?(?:[.,]0+)?(?:[Zz]|[+-][\d:]+)?", re.ASCII)


def has_scheme(text: str) -> bool:
    """True where a scheme (RFC 3986, 3.1) stands before the first colon."""
    return _SCHEME.match(text) is not None


def forbidden_in_iri(text: str) -> str | None:
    """The first character that RFC 3987 allows in no IRI (a `%` that starts no code among them), or None."""
    hit = _FORBIDDEN.search(text)
    return hit.group() if hit else None


_IRIS = Memo[str, bool](lambda text: has_scheme(text) and forbidden_in_iri(text) is None, _REMEMBERED)
_LANGUAGES = Memo[str, bool](lambda text: _LANGUAGE.fullmatch(text) is not None, 1_024)
_MBOXES = Memo[str, bool](lambda text: _MBOX.fullmatch(text) is not None, _REMEMBERED)


def is_iri(text: str) -> bool:
    """True for an IRI: a scheme, and no character that RFC 3987 forbids (xAPI 1.0.3 Data 4.3)."""
    return _IRIS[text]


def is_uuid(text: str) -> bool:
    """True for the standard string form of a UUID, of any version and variant (4.4)."""
    return _UUID.fullmatch(text) is not None


def is_language(text: str) -> bool:
    """True for a well-formed tag of RFC 5646."""
    return len(text) <= 128 and _LANGUAGES[text]


def is_mbox(text: str) -> bool:
    """True for `mailto:` and one address (2.4.2.3)."""
    return _MBOXES[text]


def is_sha1(text: str) -> bool:
    """True for 40 hexadecimal digits."""
    return _SHA1.fullmatch(text) is not None


def is_sha2(text: str) -> bool:
    """True for as many hexadecimal digits as SHA-224, -256, -384 or -512 has."""
    return _SHA2.fullmatch(text) is not None


def is_media_type(text: str) -> bool:
    """True for `type/subtype` with any parameters (RFC 2045)."""
    return _MEDIA_TYPE.fullmatch(text) is not None


def is_version(text: str, line: str = "1.0") -> bool:
    """True for a version that a statement in a request of this line may name (2.4.10; in 2.0 also one of 1.0); `1.0` stands
    for 1.0.0 (Communication 3.3)."""
    return _VERSIONS[line].fullmatch(text) is not None


def is_duration(text: str) -> bool:
    """True for a duration of ISO 8601:2004 4.4.3.2; only the smallest unit may have a fraction (4.6)."""
    return _DURATION.fullmatch(text) is not None


def has_negative_zero_zone(text: str) -> bool:
    """True where a time ends in -00, -0000 or -00:00, which ISO 8601 does not know (4.5)."""
    return "-" in text.upper().partition("T")[2] and text.endswith(("-00", "-0000", "-00:00"))


def is_timestamp(text: str) -> bool:
    """True for a date and time of ISO 8601, with or without zone, on a day and at a time that exist (4.5)."""
    if len(text) > _TIMESTAMP_LENGTH:
        return False
    if _COMMON.fullmatch(text):
        return True
    if _DATE_TIME.fullmatch(text) is None or instant(text) is None:
        return False
    time = text.upper().partition("T")[2]
    if time.startswith("24") and not _MIDNIGHT.fullmatch(text):
        return False
    zone = _ZONE.search(time)
    return zone is None or (int(zone[1]) < 24 and int(zone[2] or 0) < 60)
