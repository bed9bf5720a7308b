"""What a connector or a source asks of whoever sets it up: a schema as data, and one check over it."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MASK = "********"


class SettingsInvalid(ValueError):
    """A target's settings are wrong; `problems` holds a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a connector. `kind` is `text | secret | int | bool | url`; `check` gives a complaint or ''."""

    name: str
    help: str
    kind: str = "text"
    required: bool = False
    default: Any = None
    check: Callable[[str], str] | None = None


COMMON: tuple[Setting, ...] = (
    Setting("allow_private", "Also connect to private, loopback and link-local addresses, and by plain http.", "bool",
            default=False),
    Setting("timeout", "Seconds for one whole exchange (1 to 30).", "int", default=15,
            check=lambda v: "" if 1 <= int(v) <= 30 else "must be between 1 and 30"),
    Setting("ca_file", "File with the certificate authorities to trust instead of the public ones."),
)
"""Settings that every connector that speaks HTTP has."""


def checked(connector: str, schema: tuple[Setting, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as typed values with defaults filled in. Raises `SettingsInvalid` with every problem at once."""
    known = {setting.name: setting for setting in schema}
    problems = [f"{name}: {connector} has no such setting (it has: {', '.join(known)})"
                for name in given if name not in known]
    out: dict[str, Any] = {}
    for setting in schema:
        value = given.get(setting.name)
        if value is None or value == "":
            if setting.required:
                problems.append(f"{setting.name}: needed by {connector}: {setting.help}")
            elif setting.default is not None:
                out[setting.name] = setting.default
            continue
        typed, complaint = _typed(setting, value)
        if complaint:
            problems.append(f"{setting.name}: {complaint}")
        else:
            out[setting.name] = typed
    if out.get("allow_private") is False:
        problems += [f"{s.name}: plain http is only allowed together with allow_private=true"
                     for s in schema if s.kind == "url" and str(out.get(s.name, "")).lower().startswith("http://")]
    if problems:
        raise SettingsInvalid(problems)
    return out


def masked(schema: tuple[Setting, ...], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with every secret hidden, for screens and logs. An unknown setting is hidden too."""
    plain = {s.name for s in schema if s.kind != "secret"}
    return {name: value if name in plain else MASK for name, value in settings.items()}


def _typed(setting: Setting, value: Any) -> tuple[Any, str]:
    text = str(value).strip()
    if setting.kind == "bool":
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.lower() not in words:
            return None, f"must be true or false, not {text[:40]!r}"
        return words[text.lower()], ""
    if setting.kind == "int" and not text.lstrip("-").isdigit():
        return None, f"must be a whole number, not {text[:40]!r}"
    if setting.kind == "url" and not text.lower().startswith(("https://", "http://")):
        return None, "must start with https://"
    complaint = setting.check(text) if setting.check else ""
    return (int(text) if setting.kind == "int" else text), complaint
