"""Targets as an administrator meets them: where completions go, at what pace, with which secret."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from lrs.errors import Finding, Invalid, NotFound, Taken, WrongState
from lrs.management.audit import audited
from lrs.schema import SettingsInvalid
from lrs.statements.instants import printed
from lrs.store.open_store import Store
from lrs.store.protocols.work import TargetRow
from workers.connectors import registry
from workers.connectors.base import Delivered, Target
from workers.connectors.webhook import rotation
from workers.limits import breaker

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
STATES = ("active", "paused", "disabled")


def shown(row: TargetRow, now_us: int) -> dict[str, Any]:
    """A target with its secrets hidden; `breaker` is closed, open or half-open, `failures` those in a row."""
    health = row.health
    return {"name": row.name, "connector": row.connector, "state": row.state, "why": row.why, "breaker": breaker(row.health, now_us),
            "settings": registry.shown(row.connector, row.settings), "failures": health.failures,
            **{name: printed(at) if at else None for name, at in (
                ("rests_until", max(health.not_before, health.open_until)), ("failing_since", health.failing_since))}}


def listed(store: Store, now_us: int, after: str = "", limit: int | None = None) -> list[dict[str, Any]]:
    """The targets by name, those behind `after`."""
    return [shown(row, now_us) for row in store.work.targets() if row.name > after][:limit]


def by_name(store: Store, name: str) -> TargetRow:
    """The target of this name. Raises `NotFound`."""
    found = store.work.target(name) if "\0" not in name else None
    if found is None:
        raise NotFound(f'there is no target "{name}"; see: lrs targets list')
    return found


def create(store: Store, *, who: str, name: str, connector: str, settings: Mapping[str, Any], now_us: int) -> dict[str, Any]:
    """Keep a new target: what `shown` says of it, and, where a webhook's signing secret was generated, `secret`, this once.
    Raises `Taken`, `Invalid` naming every wrong setting."""
    made = registry.new_secret() if connector == "webhook" and not settings.get("secret") else ""
    with audited(store, who, "targets.create", name, connector=connector, settings=_told(connector, settings)):
        if not NAME.match(name):
            why = "1 to 64 letters, digits, dots, dashes or underscores, the first a letter or digit"
            raise Invalid([Finding("/name", why, "target.name", "", name[:100])])
        row = TargetRow(name, connector, _checked(connector, {**settings, **({"secret": made} if made else {})}))
        if not store.work.add_target(row):
            raise Taken([Finding("/name", f'there is already a target "{name}"', "target.taken", "", name)])
    return {**shown(row, now_us), **({"secret": made} if made else {})}


def change(store: Store, name: str, *, who: str, settings: Mapping[str, Any], now_us: int) -> dict[str, Any]:
    """Change some of a target's settings; None takes one away, what is not named stays. Raises `NotFound`, `Invalid`."""
    row = by_name(store, name)

    def changed(row: TargetRow) -> dict[str, Any]:
        merged = {**row.settings, **settings}
        return _checked(row.connector, {key: value for key, value in merged.items() if value is not None})

    with audited(store, who, "targets.change", name, before=_told(row.connector, row.settings), settings=_told(row.connector, settings)):
        _replace(store, name, changed)
    return shown(by_name(store, name), now_us)


def set_state(store: Store, name: str, state: str, *, who: str, why: str = "", now_us: int) -> dict[str, Any]:
    """Pause a target, disable it, or make it active: then what waits goes at once. What it is owed is kept in any state.
    Raises `NotFound`."""
    row = by_name(store, name)
    verb = {"active": "resume", "paused": "pause", "disabled": "disable"}[state]
    with audited(store, who, f"targets.{verb}", name, before=row.state, why=why):
        store.work.set_target_state(name, state, why)
    return shown(by_name(store, name), now_us)


def remove(store: Store, name: str, *, who: str, drop_waiting: bool = False) -> dict[str, Any]:
    """Take a target away: `{"name", "removed", "dropped"}`. What was delivered to it stays on record; what waits for it keeps it from being
    removed, or is cancelled where `drop_waiting` says so. A later target of its name gets nothing that was owed to this one.
    One that was removed is removed. Raises `NotFound`, and `WrongState` where something waits or is being sent at this moment."""
    if store.work.target(name) is None and store.audit.list(thing=name, action="targets.remove", limit=1):
        return {"name": name, "removed": True, "dropped": 0}
    row = by_name(store, name)
    with audited(store, who, "targets.remove", name, connector=row.connector, settings=_told(row.connector, row.settings),
                 **({"drop_waiting": True} if drop_waiting else {})):
        found = store.work.remove_target(name, drop="its target was removed" if drop_waiting else "")
        if found is None:  # another was faster
            return {"name": name, "removed": True, "dropped": 0}
        if found.sending:
            raise WrongState(f"{found.sending} deliveries are being sent to {name} at this moment: stop it (lrs targets pause {name}), and "
                             "remove it when they have ended")
        if not found.done:
            raise WrongState(f"{found.waiting} deliveries wait for {name} (lrs deliveries list --target {name}): have them sent first, or "
                             "give them up with --drop-waiting (API: drop_waiting=true), which cancels them")
    return {"name": name, "removed": True, "dropped": found.waiting}


def rotate(store: Store, name: str, *, who: str, now_us: int) -> dict[str, Any]:
    """Sign with a new secret beside the newest old one, until `retire`: what `shown` says, and the new `secret`, this once.
    Raises `NotFound`, `WrongState` for a target that signs with none."""
    by_name(store, name)
    made: list[str] = []

    def rotated(row: TargetRow) -> Mapping[str, Any]:
        settings, secret = _rotated(row, rotation.rotate)
        made.append(secret)
        return settings  # type: ignore[no-any-return]

    with audited(store, who, "targets.rotate", name):
        _replace(store, name, rotated)
    return {**shown(by_name(store, name), now_us), "secret": made[-1]}


def retire(store: Store, name: str, *, who: str, now_us: int) -> dict[str, Any]:
    """Sign with the newest secret alone. Raises `NotFound`, `WrongState`."""
    by_name(store, name)
    with audited(store, who, "targets.retire", name):
        _replace(store, name, lambda row: _rotated(row, rotation.retire))
    return shown(by_name(store, name), now_us)


def test(store: Store, name: str, now_us: Callable[[], int]) -> dict[str, Any]:
    """Talk to a target once, writing nothing that a person would see. Raises `NotFound`."""
    row = by_name(store, name)
    answer = registry.connectors(now_us)[row.connector].probe(Target(row.name, row.connector, row.settings))
    return {"target": name, "ok": isinstance(answer.outcome, Delivered), "outcome": type(answer.outcome).__name__,
            "why": getattr(answer.outcome, "why", ""), "status": answer.status, "milliseconds": round(answer.milliseconds, 1),
            "body": answer.body}


def connectors() -> list[dict[str, Any]]:
    """Every connector with the settings it asks for."""
    return [{"name": name, "settings": [{"name": one.name, "help": one.help, "kind": one.kind, "required": one.required,
                                         "default": one.default} for one in schema]} for name, schema in registry.SCHEMAS.items()]


def _checked(connector: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return registry.settings_for(connector, settings)
    except SettingsInvalid as wrong:
        findings = []
        for problem in wrong.problems:
            name, colon, _ = problem.partition(": ")
            where = f"/settings/{name}" if colon and " " not in name else "/connector"
            findings.append(Finding(where, problem, "target.setting", ""))
        raise Invalid(findings) from wrong


def _replace(store: Store, name: str, how: Callable[[TargetRow], Mapping[str, Any]]) -> None:
    """Replace the settings by what `how` makes of them. It is asked again where somebody else was faster: two who change
    different settings at once both succeed."""
    while not store.work.change_target(name, how(row := by_name(store, name)), before=row.settings):
        pass


def _told(connector: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as the audit log may hold them."""
    return {name: str(value)[:500] for name, value in registry.shown(connector, settings).items()}


def _rotated(row: TargetRow, how: Callable[[Mapping[str, Any]], Any]) -> Any:
    if row.connector != "webhook":
        raise WrongState(f'target "{row.name}" signs nothing; change the secret of {row.connector} with: lrs targets change')
    try:
        return how(row.settings)
    except ValueError as why:
        raise WrongState(str(why)) from why
