"""Reads a connector's map.toml, and turns an event into the target's fields by it."""
from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


FORMS: Mapping[str, Callable[[Any], Any]] = {
    "as_is": lambda value: value,
    "text": lambda value: value if isinstance(value, str) else _number(value),
    "date": lambda value: str(value)[:10],
    "hours": lambda value: round(float(value) / 3600, 2),
    "integer": int,
}
"""How a value may be written; `date` is the UTC day."""


def field_map(vendor: str) -> dict[str, Any]:
    """The map of a vendor's folder under `workers/connectors`."""
    return tomllib.loads(files(f"workers.connectors.{vendor}").joinpath("map.toml").read_text("utf-8"))


def value_at(event: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    found: Any = event
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def mapped(rules: Mapping[str, Mapping[str, Any]], event: Mapping[str, Any]) -> dict[str, Any]:
    """The target's fields. A rule is `{from = "path", as = "form"}`, or `{fixed = value}`; `empty` is what is sent
    where the event has no such value (without it the field is left out)."""
    out: dict[str, Any] = {}
    for name, rule in rules.items():
        if "fixed" in rule:
            out[name] = rule["fixed"]
            continue
        value = value_at(event, rule["from"])
        if value is not None:
            out[name] = FORMS[rule.get("as", "as_is")](value)
        elif "empty" in rule:
            out[name] = rule["empty"]
    return out
