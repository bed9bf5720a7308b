"""The kinds of settings: what each may be, and how it is read."""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    raise ValueError("a text")


def _up_to(most: int, what: str = "a whole number") -> Callable[[Any], int]:
    def read(value: Any) -> int:
        given = str(value).strip().replace("_", "")
        known = isinstance(value, int | str) and not isinstance(value, bool) and re.fullmatch("[+-]?[0-9]{1,20}", given)
        if not known or not 1 <= int(given) <= most:
            raise ValueError(f"{what} from 1 to {most}")
        return int(given)
    return read


_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False, "": False}


def _switch(value: Any) -> bool:
    known = _SWITCH.get(str(value).strip().lower())
    if known is None:
        raise ValueError("true or false (also yes/no, on/off, 1/0)")
    return known


def _path(value: Any) -> Path:
    text = _text(value)
    if not text or "\0" in text:
        raise ValueError("a path")
    return Path(text).expanduser()


def _host(value: Any) -> str:
    if re.fullmatch(r"[^\s/\x00-\x1f]+", _text(value)):
        return _text(value)
    raise ValueError("an address of this machine such as 127.0.0.1, or a name")


def _parts(url: str) -> SplitResult | None:
    """The parts of an address for HTTP; None where it is none."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not re.search(r"[\s\x00-\x1f]", url)
    except ValueError:
        fits = False
    return parts if fits else None


def _url(value: Any) -> str:
    text = _text(value).rstrip("/")
    parts = _parts(text)
    if text and (not parts or parts.query or parts.fragment):
        raise ValueError("an address such as https://lrs.example.org, without query and fragment")
    return text


_SECRET_OPTIONS = re.compile(r"([?&][^=&]*(?:password|authmechanismproperties)=)[^&]*", re.IGNORECASE)


def without_password(url: str) -> str:
    """A broker's or a database's address as it may be shown. Every way to show one goes through here."""
    place, mark, options = url.partition("?")
    head, at, tail = place.rpartition("@")
    return re.sub(r"(://[^:]*:).*", r"\1********", head) + at + tail + _SECRET_OPTIONS.sub(r"\1********", mark + options)


_BROKERS = ("redis", "rediss", "redis+socket", "amqp", "amqps")


def _broker(value: Any) -> str:
    text = _text(value)
    try:
        parts = urlsplit(text)
        fits = parts.scheme in _BROKERS and bool(parts.hostname or parts.path) and (parts.port is None or parts.port > 0)
    except ValueError:
        fits = False
    if text and not fits:
        raise ValueError("a broker's address such as redis://127.0.0.1:6379/0 or amqp://user:password@host:5672/vhost")
    return text


_STORES = ("mongodb", "mongodb+srv")


def _store(value: Any) -> str:
    text = _text(value)
    try:
        parts = urlsplit(text)
        # several hosts are more than `urlsplit` knows a port of
        fits = parts.scheme in _STORES and bool(parts.netloc.rpartition("@")[2]) and parts.path.count("/") <= 1 and not parts.fragment
    except ValueError:
        fits = False
    if text and not fits:
        raise ValueError("a MongoDB database's address such as mongodb://user:password@host1,host2/lrs?replicaSet=rs0 (what is special in "
                         "the password as %xx), or mongodb+srv://host/lrs; or unset, for SQLite in the folder `data`")
    return text


def _networks(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else _text(value).split(",")
    try:
        return tuple(str(ipaddress.ip_network(str(item).strip())) for item in items if str(item).strip())
    except ValueError:
        raise ValueError("networks such as 10.0.0.0/8, separated by commas") from None


def _origins(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else _text(value).split(",")
    found = tuple(str(item).strip().rstrip("/") for item in items if str(item).strip())
    for one in found:
        parts = _parts(one)
        if one != "*" and (not parts or parts.path or parts.query):
            raise ValueError("origins such as https://courses.example.org, separated by commas, or *")
    return found


def _level(value: Any) -> str:
    level = _text(value).lower()
    if level not in ("debug", "info", "warning", "error"):
        raise ValueError("debug, info, warning or error")
    return level


def _version(value: Any) -> str:
    version = _text(value)
    if version not in ("1.0.3", "2.0.0"):
        raise ValueError("1.0.3 or 2.0.0")
    return version


READ: dict[str, Callable[[Any], Any]] = {
    "host": _host, "count": _up_to(10**9), "bytes": _up_to(10**12), "port": _up_to(65_535, "a port"), "switch": _switch,
    "path": _path, "url": _url, "networks": _networks, "level": _level,
    "broker": _broker, "few": _up_to(64), "store": _store, "version": _version, "origins": _origins,
}


SECRET_KINDS = ("broker", "store")
"""Kinds of settings that may hold a password."""

SHOWN = {
    "host": "text", **dict.fromkeys(("count", "bytes", "few"), "whole number"), "switch": "true/false",
    "networks": "list of networks", "level": "word",
    "version": "word", "origins": "list of origins", **dict.fromkeys(SECRET_KINDS, "url"),
}
"""Kind → what it is called in the documentation, where that is another word."""
