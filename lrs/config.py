"""The settings: one frozen object, read from `LRS_*` and an optional `lrs.toml`, that refuses what it does not know."""
from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lrs.kinds import READ, SECRET_KINDS, SHOWN, without_password

#: Variables with our prefix that are not settings: where `lrs.toml` stands, the demo's own fault switch.
NOT_SETTINGS = frozenset({"LRS_CONFIG", "LRS_DEMO_BREAK"})
#: How variables begin that tell the tests where things are: a shell that has them may start the product too.
OF_TESTS = "LRS_TEST_"


class BadSetting(ValueError):
    """A setting that is unknown or has a value it cannot have; the text says which, why, and what would do."""


def _setting(default: Any, kind: str, unit: str, sentence: str) -> Any:
    return field(default=default, metadata={"kind": kind, "unit": unit, "sentence": sentence})


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost. Each is named in the error that it causes."""

    body_max: int = _setting(16 * 2**20, "bytes", "bytes", "Largest request body; a larger one is answered 413.")
    attachment_max: int = _setting(200 * 2**20, "bytes", "bytes", "Largest data of one attachment; a larger one is answered 413.")
    document_max: int = _setting(
        16 * 2**20, "bytes", "bytes", "Largest state or profile document (`body_max` holds too); a larger one is answered 413."
    )
    statement_max: int = _setting(2**20, "bytes", "bytes", "Largest single statement; a larger one is answered 413.")
    batch_max: int = _setting(2_000, "count", "statements", "Most statements in one POST.")
    depth_max: int = _setting(100, "count", "levels", "Deepest nesting of JSON in a statement.")
    group_max: int = _setting(1_000, "count", "members", "Most members of one Group.")
    url_max: int = _setting(8_192, "bytes", "bytes", "Longest request URL; a longer one is answered 414.")
    page_default: int = _setting(100, "count", "statements", "Statements a page when the client asks for no limit.")
    page_max: int = _setting(500, "count", "statements", "Most statements a page, whatever the client asks for.")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be chosen about a running LRS."""

    data: Path = _setting(
        Path("data"), "path", "", "Directory that holds everything the LRS keeps; with `store`, what is of this machine alone."
    )
    store: str = _setting(
        "", "store", "", "MongoDB database that keeps everything, `mongodb://host/database` (a replica set); unset: SQLite files in `data`."
    )
    facts: Path | None = _setting(
        None, "path", "", "Directory of the table of facts for analysts (Delta Lake); default: `facts` in the data directory."
    )
    host: str = _setting("127.0.0.1", "host", "", "Address to listen on; one other than loopback needs TLS or `behind_proxy`.")
    port: int = _setting(8080, "port", "", "TCP port to listen on.")
    public_url: str = _setting("", "url", "", "How clients reach this LRS, without a trailing slash; default: `http(s)://<host>:<port>`.")
    behind_proxy: bool = _setting(False, "switch", "", "A proxy in front of this LRS speaks TLS with the clients.")
    trusted_proxies: tuple[str, ...] = _setting(
        (), "networks", "", "Networks (CIDR, separated by commas) whose `X-Forwarded-*` headers are believed."
    )
    tls_certificate: Path | None = _setting(None, "path", "", "PEM file with the certificate chain.")
    tls_key: Path | None = _setting(None, "path", "", "PEM file with the certificate's private key.")
    web_processes: int = _setting(
        1, "few", "processes", "Processes of `lrs serve` that answer requests, 1 to 64: more where there are more than two cores."
    )
    request_threads: int = _setting(16, "count", "threads", "Requests that a process works on at the same time.")
    body_seconds: int = _setting(20, "count", "seconds", "How long a client may take to send a body; then 408.")
    refused_max: int = _setting(
        200, "count", "a second",
        "Refused requests (400, 401, 403, 413, 415, 422) of a client; more for 5 seconds, and it is answered 429 "
        "until it has been slower for 10.",
    )
    stop_seconds: int = _setting(20, "count", "seconds", "How long a stop waits for requests and deliveries in flight.")
    broker_url: str = _setting(
        "", "broker", "", "Celery's broker, `redis://…` or `amqp://…`; unset, a worker of `lrs serve` does all work without one."
    )
    route_partitions: int = _setting(
        1, "few", "partitions", "In how many partitions statements are routed, each by a worker at a time: 1 to 64, the same for "
        "all workers (docs/workers.md)."
    )
    xapi_default_version: str = _setting(
        "1.0.3", "version", "", "The version named in answers to requests that name none (which are refused): 1.0.3 or 2.0.0."
    )
    strict_versions: bool = _setting(
        False, "switch", "", "Show statements of xAPI 2.0 to clients of 1.0.x without what only 2.0 knows."
    )
    cors_origins: tuple[str, ...] = _setting(
        ("*",), "origins", "", "Origins whose pages may use `/xapi`, separated by commas; `*` (default): any, none are sent cookies."
    )
    log_level: str = _setting("info", "level", "", "Least severe message that is logged: debug, info, warning or error.")
    log_json: bool = _setting(False, "switch", "", "Log one JSON object a line instead of text.")
    log_requests: bool = _setting(
        False, "switch", "", "Log a line for every request and every attempt at a target, with the request's id; else only what went wrong."
    )
    watch_networks: tuple[str, ...] = _setting(
        (), "networks", "",
        "Networks (CIDR, separated by commas) that read `/metrics` and why `/health/ready` is 503 without a credential; unset: this "
        "machine, unless `behind_proxy`.",
    )
    otel_endpoint: str = _setting(
        "", "url", "", "OTLP/HTTP address that traces are sent to, such as `http://127.0.0.1:4318/v1/traces`; unset: none are made."
    )
    ready_lag_seconds: int = _setting(
        900, "count", "seconds", "How old the oldest statement that no worker has read may be before `/health/ready` is 503."
    )
    limits: Limits = field(default_factory=Limits)

    @property
    def place(self) -> str:
        """Where the store is: a folder, or a database's URL, which may hold a password (`shown_place`)."""
        return self.store or str(self.data)

    @property
    def shown_place(self) -> str:
        """Where the store is, as it may be shown."""
        return without_password(self.store) if self.store else str(self.data.resolve())

    @property
    def incoming(self) -> Path:
        """The folder for what is on its way into the store."""
        return self.data / "incoming"

    @property
    def facts_folder(self) -> Path:
        """The folder of the table of facts."""
        return self.facts or self.data / "facts"


def listening_url(settings: Settings) -> str:
    """The URL of the address that these settings listen on, without a trailing slash."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'https' if settings.tls_certificate else 'http'}://{host}:{settings.port}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of settings. `kind` says what values it takes, `unit` what a number counts."""

    name: str
    kind: str
    default: Any
    unit: str
    sentence: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"LRS_{self.name.upper()}"


def table() -> list[Row]:
    """Every setting, in the order in which it is documented."""
    fields = [f for f in dataclasses.fields(Settings) if f.metadata] + list(dataclasses.fields(Limits))
    return [Row(f.name, f.metadata["kind"], f.default, f.metadata["unit"], f.metadata["sentence"]) for f in fields]


def load(environ: Mapping[str, str], path: Path | None = None) -> Settings:
    """The settings from `environ` (`LRS_*`, wins) and the TOML file at `path` (if it exists).

    Raises `BadSetting` with a sentence that names the setting, where it was given and what would be right.
    """
    rows = {row.name: row for row in table()}
    given: dict[str, tuple[Any, str]] = {}
    for name, value in _toml(path).items():
        given[_known(name, rows, str(path), lambda n: n)] = (value, f"{name} in {path}")
    for variable, text in environ.items():
        if variable.startswith("LRS_") and variable not in NOT_SETTINGS and not variable.startswith(OF_TESTS):
            name = _known(variable.removeprefix("LRS_").lower(), rows, "the environment", lambda n: f"LRS_{n.upper()}")
            given[name] = (text, variable)
    values = {name: _value(rows[name], value, where) for name, (value, where) in given.items()}
    limit_names = {f.name for f in dataclasses.fields(Limits)}
    limits = Limits(**{name: value for name, value in values.items() if name in limit_names})
    settings = Settings(**{name: value for name, value in values.items() if name not in limit_names}, limits=limits)
    check(settings)
    return settings if settings.public_url else replace(settings, public_url=listening_url(settings))


def file_of(environ: Mapping[str, str]) -> Path:
    """The settings file: where `LRS_CONFIG` says, else `lrs.toml`, which need not be there. Raises `BadSetting` where
    the variable names a file that is not."""
    named = environ.get("LRS_CONFIG")
    if named and not os.path.exists(named):
        raise BadSetting(f"there is no settings file {named} (LRS_CONFIG), or not for this user")
    return Path(named or "lrs.toml")


def inherited(environ: Mapping[str, str]) -> Settings:
    """The settings of a process that another of ours started, which has looked whether the file is there. Raises `BadSetting`."""
    return load(environ, Path(environ.get("LRS_CONFIG") or "lrs.toml"))


def check(settings: Settings) -> None:
    """Refuse settings that contradict each other (`BadSetting`)."""
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        raise BadSetting("tls_certificate and tls_key belong together: set both or neither")
    if settings.limits.page_default > settings.limits.page_max:
        raise BadSetting(f"page_default ({settings.limits.page_default}) must not be above page_max ({settings.limits.page_max})")
    if settings.limits.statement_max > settings.limits.body_max:
        raise BadSetting(f"statement_max ({settings.limits.statement_max}) must not be above body_max ({settings.limits.body_max})")


def _toml(path: Path | None) -> dict[str, Any]:
    # not Path.exists: it raises where this user may not look, such as the working directory of whoever called sudo
    if path is None or not os.path.exists(path):
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise BadSetting(f"{path} cannot be read as TOML: {fault}") from fault


def _known(name: str, rows: Mapping[str, Row], where: str, spelled: Callable[[str], str]) -> str:
    if name in rows:
        return name
    near = difflib.get_close_matches(name, rows, n=1)
    hint = f"did you mean {spelled(near[0])}?" if near else "`lrs settings` lists all there are."
    raise BadSetting(f"{spelled(name)} (in {where}) is not a setting; {hint}")


def _value(row: Row, value: Any, where: str) -> Any:
    try:
        return READ[row.kind](value)
    except ValueError as fault:
        # an address may hold a password
        shown = "…" if row.kind in SECRET_KINDS else str(value)[:60]
        raise BadSetting(f"{where} is {shown!r}, but must be {fault} ({row.sentence.rstrip('.')})") from None


def _shown(value: Any) -> str:
    if value is None or value == "" or value == ():
        return "—"
    if isinstance(value, tuple):
        return f"`{','.join(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def markdown() -> str:
    """The table of settings as `docs/settings.md` holds it."""
    lines = [
        "# Settings",
        "",
        "Each can be given as an environment variable, or by its name in `lrs.toml` (in the working directory, or where",
        "`LRS_CONFIG` says).",
        "The environment wins. A name that is not in this table, or a value that does not fit, refuses to start and says why.",
        "Where the command line is told none of `host`, `port` and `public_url`, they are those of the last `lrs serve` on `data`.",
        "",
        "| setting | variable | type | default | unit | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for r in table():
        kind = SHOWN.get(r.kind, r.kind)
        lines.append(f"| `{r.name}` | `{r.variable}` | {kind} | {_shown(r.default)} | {r.unit or '—'} | {r.sentence} |")
    return "\n".join(lines) + "\n"
