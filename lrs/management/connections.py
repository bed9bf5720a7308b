"""Connections as an administrator meets them: outside sources of live sessions, their settings, secrets and payloads."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lrs.auth.scopes import allowed
from lrs.errors import Finding, Invalid, NotFound, Taken, WrongState
from lrs.management import credentials
from lrs.management.audit import audited
from lrs.schema import MASK, Setting, SettingsInvalid, checked, masked
from lrs.services import Services
from lrs.sources.registry import SOURCES
from lrs.statements.instants import printed
from lrs.store.open_store import Store
from lrs.store.protocols.connections import Connection

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")
STEPS: Mapping[str, Sequence[str]] = {
    "zoom": ("In the Zoom app, under Event Subscriptions, add an event subscription with this endpoint URL: {hook}",
             "Press Validate: Zoom asks this LRS whether it knows the secret token",
             "Subscribe to meeting started and ended, participant joined and left, and recording completed; then activate the app",
             "Name the meeting in the column sessions of a course (lrs courses import), so that attending completes it",
             "Hold a short meeting, then see what came: lrs connections payloads {name}"),
}
"""What is left to do on the other side, by source (docs/zoom.md)."""


def hook(public_url: str, one: Connection) -> str:
    """The address that the source is told."""
    return f"{public_url.rstrip('/')}/hooks/{one.source}/{one.name}"


def shown(public_url: str, one: Connection) -> dict[str, Any]:
    """A connection with its hook's address; secrets are masked."""
    return {"name": one.name, "source": one.source, "credential": one.credential, "state": one.state, "created": printed(one.created),
            "hook": hook(public_url, one), "settings": masked(_schema(one.source), one.settings)}


def next_steps(public_url: str, one: Connection) -> list[str]:
    """What is left to do on the source's side, in order."""
    return [step.format(hook=hook(public_url, one), name=one.name) for step in STEPS.get(one.source, ())]


def listed(store: Store, public_url: str, after: str = "", limit: int | None = None) -> list[dict[str, Any]]:
    """The connections by name, from the first after `after` on."""
    return [shown(public_url, one) for one in store.connections.list() if one.name > after][:limit]


def by_name(store: Store, name: str) -> Connection:
    """The connection of this name. Raises `NotFound`."""
    found = store.connections.by_name(name)
    if found is None:
        raise NotFound(f'there is no connection "{name}"; see: lrs connections list')
    return found


def add(services: Services, *, who: str, name: str, source: str, settings: Mapping[str, Any], provider: str = "",
        credential: str = "") -> Connection:
    """Store a connection. `credential`: the key of one that may store statements; else one is made for it, whose secret
    nobody needs and nobody is told. `provider` (default: the name) is of that new credential.

    Raises `Taken` for a taken name, `Invalid` for a name, source, credential or setting that cannot be.
    """
    store = services.store
    with audited(store, who, "connections.add", name, source=source, settings=sorted(settings)):
        problems = [] if NAME.match(name) else [Finding("/name", "1 to 63 small letters, digits, dots, dashes or underscores", "name", "")]
        if source not in SOURCES:
            problems.append(Finding("/source", f'there is no source "{source[:40]}"; there are: {", ".join(SOURCES)}', "source", ""))
        if problems:
            raise Invalid(problems)
        typed = _checked(source, settings)
        if store.connections.by_name(name):
            raise _taken(name)
        if credential:
            _may_store(store, credential)
        else:
            credential = str(credentials.create(services, who=who, name=f"Connection {name}", provider=provider or name,
                                                scopes=["statements/write"])["key"])
        if not store.connections.create(Connection(name, source, credential, typed)):
            raise _taken(name)
    return by_name(store, name)


def change(store: Store, name: str, settings: Mapping[str, Any], *, who: str) -> Connection:
    """Change settings: those given, None takes one away; a secret given as its mask stays as it is. Raises `NotFound`, `Invalid`."""
    return _change(store, by_name(store, name), lambda one: _merged(one, settings), who, "connections.change", sorted(settings))


def set_state(store: Store, name: str, state: str, *, who: str) -> Connection:
    """active | paused; nothing changes where it is in that state. While paused the hook answers 403. Raises `NotFound`."""
    if by_name(store, name).state != state:
        with audited(store, who, f"connections.{'pause' if state == 'paused' else 'resume'}", name):
            store.connections.change(name, state=state)
    return by_name(store, name)


def rotate(store: Store, name: str, secret: str, *, who: str) -> Connection:
    """Give the connection a new secret; the one that is newest now goes on being taken until `finish_rotation`.
    Raises `NotFound`, `WrongState` where its source proves itself by no secret, `Invalid` for a secret that cannot be."""
    one = by_name(store, name)
    setting = _rotated(one)
    new = secret.split()
    if len(new) != 1:
        raise Invalid([Finding("/secret", "one secret, without spaces", "connection.secret", "")])

    def rotated(one: Connection) -> dict[str, Any]:
        taken = str(one.settings.get(setting, "")).split()
        # sent again, it is the same rotation: the secret before it goes on being taken
        return {**one.settings, setting: " ".join(taken if taken[:1] == new else [*new, *taken[:1]])}

    return _change(store, one, rotated, who, "connections.rotate_secret", [setting])


def finish_rotation(store: Store, name: str, *, who: str) -> Connection:
    """Take only the newest secret from now on. Raises `NotFound`, `WrongState`."""
    one = by_name(store, name)
    setting = _rotated(one)
    if len(str(one.settings.get(setting, "")).split()) < 2:
        raise WrongState(f'the connection "{name}" has one secret only')

    def finished(one: Connection) -> dict[str, Any]:
        return {**one.settings, setting: str(one.settings.get(setting, "")).split()[0]}

    return _change(store, one, finished, who, "connections.finish_rotation", [setting])


def secrets_taken(one: Connection) -> int:
    """How many secrets prove the source at this moment: 2 while one is being rotated."""
    names = [setting.name for setting in _schema(one.source) if setting.kind == "secret" and setting.required]
    return len(str(one.settings.get(names[0], "")).split()) if names else 0


def payloads(store: Store, name: str, *, before: int | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """What came over the connection as it came, the newest first, for as long as it is kept. Raises `NotFound`."""
    by_name(store, name)
    return [{"n": one.n, "at": printed(one.at), "kind": one.kind, "note": one.note, "body": one.body.decode("utf-8", "replace")}
            for one in store.payloads.list(name, before=before or 0, limit=limit)]


def _schema(source: str) -> tuple[Setting, ...]:
    return tuple(SOURCES.get(source, ()))


def _checked(source: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return checked(source, _schema(source), settings)
    except SettingsInvalid as wrong:
        raise Invalid([Finding(f"/settings/{problem.partition(': ')[0]}", problem.partition(": ")[2] or problem, "connection.setting", "")
                       for problem in wrong.problems]) from None


def _merged(one: Connection, given: Mapping[str, Any]) -> dict[str, Any]:
    secret = {setting.name for setting in _schema(one.source) if setting.kind == "secret"}
    kept = {name: value for name, value in given.items() if not (name in secret and value == MASK)}
    return {name: value for name, value in {**one.settings, **kept}.items() if value is not None}


def _change(store: Store, one: Connection, how: Callable[[Connection], Mapping[str, Any]], who: str, action: str,
            names: Sequence[str]) -> Connection:
    """Replace its settings by what `how` makes of them. It is asked again where somebody else was faster: two who change
    different settings at once both succeed."""
    with audited(store, who, action, one.name, settings=list(names)):
        while not store.connections.change(one.name, settings=_checked(one.source, how(one)), before=one.settings):
            one = by_name(store, one.name)
    return by_name(store, one.name)


def _rotated(one: Connection) -> str:
    for setting in _schema(one.source):
        if setting.kind == "secret" and setting.required:
            return setting.name
    raise WrongState(f"the source {one.source} proves itself by no secret")


def _may_store(store: Store, key: str) -> None:
    found = store.credentials.by_key(key)
    if found is None or found.revoked or not allowed(found.scopes, "statements/write"):
        why = "no open credential with the scope statements/write has this key"
        raise Invalid([Finding("/credential", why, "credential", "", key[:100])])


def _taken(name: str) -> Taken:
    return Taken([Finding("/name", "there is a connection of this name", "name", "", name)])
