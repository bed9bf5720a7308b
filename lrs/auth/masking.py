"""Hides persons and secrets in what was sent, so that a log of refusals may be read by more people than the data."""
from __future__ import annotations

import json
import re

MASK = "***"
SECRET_NAMES = re.compile(r".*(?:secrets?|passwords?|passwd|pwd|tokens?|api_?-?keys?|private_?-?keys?|authorization|cookies?)\Z",
                          re.IGNORECASE | re.DOTALL)
"""Members whose whole value is hidden, whatever it is."""
PERSON_NAMES = re.compile(r"(?:mbox|mbox_sha1sum|openid|name|(?:first|last|given|family|full|display|user|login)_?-?name"
                          r"|e?-?mails?|.*_?email|phone|account_?name|user|employee_?id)\Z", re.IGNORECASE)
"""Members whose texts are hidden; objects in them (a definition's `name`, by language) are looked through."""

_STRING = r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)'
_SINGLE = r"(?<![\w\"\\])'(?:[^'\\\n]|\\.)*(?:'|\\?\Z)"
_TOKEN = re.compile(rf"({_STRING})|({_SINGLE})|([A-Za-z_][\w-]*)|([{{}}\[\]:,])|(-?\d[\w.+-]*)", re.DOTALL)
_MAIL = re.compile(r"[^\s\"'<>()\[\]{},;:=|\\/]{1,64}@[^\s\"'<>()\[\]{},;:=|\\/]{1,255}")
_SHA1 = re.compile(r"(?<![0-9a-fA-F-])[0-9a-fA-F]{40}(?![0-9a-fA-F-])")
_CREDENTIAL = re.compile(r"\b(?i:basic|bearer|digest|negotiate|apikey)(?:\s+|%20|\+)(?=\S*[0-9=+/]|\S[a-z]*[A-Z])[A-Za-z0-9._~+/=-]{6,}"
                         r"|whsec_[A-Za-z0-9+/=_-]+|(?<=://)(?:[^\s/@\"'\\]|\\[^\"])+:(?:[^\s/@\"'\\]|\\[^\"])*(?=@)")
_PAIR = re.compile(r"(?i)((?:^|[\W_])(?:[\w-]{0,40}(?:secret|password|passwd|pwd|token|authorization|api_?-?key|cookie))[\"']?\s*[:=]\s*)"
                   r"(?!\s*[\"'{\[]|(?:0|true|false|null)\s*[,}\]])((?:[^&\s\"',;{}\[\]\\]|\\[^\"])+)")
_DEEP = 20


def masked(text: str, depth: int = 0) -> str:
    """The text with what names a person (mbox, account names, e-mail addresses anywhere) and what is secret (by its
    member's name, or by its look: Authorization, `whsec_…`, user:password@) replaced by `***`.

    The text need not be JSON, nor end where JSON ends: it is read token by token. JSON inside of a JSON string is masked
    as well. What was valid JSON stays valid JSON.
    """
    text = text.replace("\0", "")
    out: list[str] = []
    end, key, hidden, level = 0, "", 0, 0
    tokens = list(_TOKEN.finditer(text))
    for at, token in enumerate(tokens):
        out.append(plain(text[end : token.start()]))
        end, said = token.end(), token.group()
        string = token.group(1) or token.group(2)
        follows = tokens[at + 1].group() if at + 1 < len(tokens) else ""
        if (string or token.group(3)) and follows == ":" and not text[end : tokens[at + 1].start()].strip():
            key = _decoded(said) if string else said
            out.append(said if not _looks_personal(key) else _quoted(said, MASK))
        elif token.group(4):
            if said in "{[":
                level += 1
                if not hidden and SECRET_NAMES.match(key):
                    hidden = level
                # a list of e-mails, or an account in its member: the member's name goes on being the key of plain texts
            elif said in "}]":
                hidden = 0 if hidden == level else hidden
                level -= 1
                key = "" if not hidden else key
            out.append(said)
        elif string:
            out.append(_quoted(said, MASK if hidden or _hides(key) else _inside(_decoded(said), said, depth)))
        elif hidden or (SECRET_NAMES.match(key) and token.group(5)):
            out.append(said if said in ("true", "false", "null") else "0" if token.group(5) else MASK)
        else:
            out.append(said)
        if token.group(4) == "," and level and not hidden and not _in_list(tokens, at):
            key = ""
    out.append(plain(text[end:]))
    # what stands outside of strings, in a text that is no JSON, was split into tokens
    return plain(_PAIR.sub(rf"\1{MASK}", "".join(out)))


def plain(text: str) -> str:
    """The text with e-mail addresses, their SHA-1, and what looks like a credential replaced."""
    text = _CREDENTIAL.sub(MASK, text)
    return _SHA1.sub(MASK, _MAIL.sub(MASK, text) if "@" in text else text)


def personal(pointer: str) -> bool:
    """Whether a JSON pointer leads to or into a member that is masked."""
    return any(SECRET_NAMES.match(part) or PERSON_NAMES.match(part) for part in pointer.split("/"))


def _hides(key: str) -> bool:
    return bool(key) and bool(SECRET_NAMES.match(key) or PERSON_NAMES.match(key))


def _in_list(tokens: list[re.Match[str]], at: int) -> bool:
    """Whether the comma at this place separates items of a list, not members of an object."""
    after = tokens[at + 2].group() if at + 2 < len(tokens) else ""
    return after != ":"


def _inside(value: str, said: str, depth: int) -> str | None:
    """The masked content of a string, None where it may stay as it is."""
    nested = depth < _DEEP and value.lstrip()[:1] in ("{", "[")
    shown = masked(value, depth + 1) if nested else _PAIR.sub(rf"\1{MASK}", plain(value))
    return None if shown == value else shown


def _looks_personal(key: str) -> bool:
    return plain(key) != key


def _decoded(said: str) -> str:
    """The text that a quoted token stands for, escapes resolved as far as they can be."""
    body = said[1:-1] if len(said) > 1 and said[-1] == said[0] else said[1:]
    try:
        return str(json.loads(f'"{body}"', strict=False)) if said[0] == '"' else body
    except ValueError:
        return re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), body).replace('\\"', '"')


def _quoted(said: str, shown: str | None) -> str:
    """The token with other content, in its own quotes; left open where it was left open."""
    if shown is None:
        return said
    if said[0] not in "\"'":
        return shown
    closed = said[-1] if len(said) > 1 and said[-1] == said[0] else ""
    return said[0] + (json.dumps(shown, ensure_ascii=False)[1:-1] if said[0] == '"' else shown) + closed
