"""The one guarded HTTP client of all connectors, and the one table from an HTTP answer to an outcome."""
from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

import httpcore
import httpx

from workers.connectors.base import (
    Answer,
    Delivered,
    Misconfigured,
    Outcome,
    Rejected,
    Retry,
    Target,
    Throttled,
)
from workers.connectors.egress import EgressRefused, GuardedBackend, Resolve, resolve
from workers.schedule import retry_after

ANSWER_MAX = 20_000
"""Bytes read of an answer; the rest is left on the wire."""

KEPT_MAX = 2_000
"""Characters of an answer kept in the attempt row."""

IDLE_SECONDS = 1.5
"""A kept connection that rested longer is not used again: servers close theirs after 2 s or more, and a request that
meets the closing has an unknown end."""

LIFE_SECONDS = 60.0
"""The longest use of one connection: then names are resolved and certificates looked at anew."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that was answered. `cut`: the answer was longer than what was read of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    milliseconds: float
    cut: bool = False


class ExchangeFailed(Exception):
    """No (whole) answer came. `sent`: something of the request may have reached the target, so it may have acted."""

    def __init__(self, why: str, milliseconds: float, sent: bool) -> None:
        super().__init__(why)
        self.why, self.milliseconds, self.sent = why, milliseconds, sent


@dataclass
class GuardedClient:
    """Sends requests, each within the target's `timeout`: no redirect is followed, no proxy or netrc of the environment
    is used, certificates are always verified, no cookie is kept. A connection that was answered on is kept for the next
    request to the same place under the same rules, for a moment only; it still leads to the address that was checked."""

    resolve: Resolve = resolve
    monotonic: Callable[[], float] = time.monotonic
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000
    _contexts: dict[str, ssl.SSLContext] = field(default_factory=dict)
    _kept: dict[tuple[object, ...], list[_Session]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def exchange(self, target: Target, method: str, url: str, headers: Mapping[str, str], content: bytes = b"",
                 answer_max: int = ANSWER_MAX) -> Exchange:
        """Send and read the answer. Raises `ExchangeFailed`, or `EgressRefused` where we may not connect."""
        settings = target.settings
        allow_private = settings.get("allow_private") is True
        timeout = timeout_of(target)
        started = self.monotonic()
        try:
            address = httpx.URL(url)
        except httpx.InvalidURL as fault:
            raise EgressRefused(f"{url[:200]!r} is no URL: {fault}") from fault
        if not address.host:
            raise EgressRefused(f"{url[:200]!r} names no host")
        if address.scheme != "https" and not (address.scheme == "http" and allow_private):
            raise EgressRefused("only https:// is spoken to targets (http:// needs allow_private=true)")
        ca_file = str(settings.get("ca_file") or "")
        place = (target.name, address.scheme, address.host, address.port, allow_private, ca_file)
        session = self._take(place, allow_private, ca_file)
        session.backend.begin(started + timeout)
        whole = False

        def took() -> float:
            return (self.monotonic() - started) * 1000

        try:
            with session.client.stream(method, address, content=content, timeout=timeout,
                                       headers={"user-agent": "concord-lrs", "accept-encoding": "identity", **headers}
                                       ) as response:
                body = b""
                for chunk in response.iter_raw(16_384):
                    body += chunk
                    if len(body) > answer_max:
                        break
                whole = len(body) <= answer_max
                return Exchange(response.status_code, response.headers, body[:answer_max], took(), cut=not whole)
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpx.HTTPError,
                OSError, ValueError) as fault:
            name = type(fault).__name__
            raise ExchangeFailed(f"{name}: {fault}" if str(fault) else name, took(), session.backend.written) from fault
        finally:
            self._put(place, session, whole)

    def close_idle(self) -> None:
        """Close the kept connections that will not be used again."""
        now = self.monotonic()
        with self._lock:
            old = [session for sessions in self._kept.values() for session in sessions if not session.fresh(now)]
            self._kept = {place: left for place, sessions in self._kept.items() if (left := [s for s in sessions if s not in old])}
        for session in old:
            session.client.close()

    def _take(self, place: tuple[object, ...], allow_private: bool, ca_file: str) -> _Session:
        self.close_idle()
        with self._lock:
            found = self._kept[place].pop() if self._kept.get(place) else None
        if found is not None:
            return found
        backend = _Backend(allow_private, 0.0, self.resolve, self.monotonic)
        client = httpx.Client(transport=_Transport(backend, self._context(ca_file)), follow_redirects=False, trust_env=False)
        return _Session(backend, client, self.monotonic())

    def _put(self, place: tuple[object, ...], session: _Session, whole: bool) -> None:
        session.used = self.monotonic()
        if not whole:
            session.client.close()
            return
        session.client.cookies.clear()
        with self._lock:
            self._kept.setdefault(place, []).append(session)

    def _context(self, ca_file: str) -> ssl.SSLContext:
        with self._lock:
            if ca_file not in self._contexts:
                self._contexts[ca_file] = ssl.create_default_context(cafile=ca_file) if ca_file else _well_known()
            return self._contexts[ca_file]


@cache
def _well_known() -> ssl.SSLContext:
    """The authorities that everybody knows, read once a process: it takes some 20 ms of the processor."""
    return httpx.create_ssl_context()


def timeout_of(target: Target) -> float:
    """Seconds one exchange with this target may take."""
    return float(target.settings.get("timeout") or 15)


def outcome_of(exchange: Exchange, now_us: int) -> Outcome:
    """The generic rule for an answer (facts of a vendor come first, in its connector): 2xx has it; 3xx is a failure;
    401 and 403 stop the target, 410 disables it; 429 slows it down; 408, 425 and 5xx pass; any other 4xx is for good."""
    status, wait = exchange.status, retry_after(exchange.headers.get("retry-after"), now_us)
    if 200 <= status < 300:
        return Delivered()
    if 300 <= status < 400:
        return Retry(f"answered {status} to {exchange.headers.get('location', 'nowhere')[:200]}: "
                     "redirects are not followed, put the final address into the target")
    if status in (401, 403):
        return Misconfigured(f"answered {status}: the target's credential is not accepted")
    if status == 410:
        return Misconfigured("answered 410: the receiver is gone and wants nothing more", disable=True)
    if status == 429:
        return Throttled("answered 429: too many requests", wait)
    if status in (408, 425) or status >= 500:
        return Retry(f"answered {status}", wait)
    return Rejected(f"answered {status}")


def sent(client: GuardedClient, target: Target, method: str, url: str, headers: Mapping[str, str],
         content: bytes = b"", classify: Callable[[Exchange, int], Outcome] = outcome_of,
         secrets: tuple[str, ...] = (), answer_max: int = ANSWER_MAX) -> tuple[Answer, Exchange | None]:
    """One exchange as an `Answer` (and the exchange, if there was one). Never raises for what the network does."""
    try:
        exchange = client.exchange(target, method, url, headers, content, answer_max)
    except EgressRefused as refusal:
        return Answer(Misconfigured(str(refusal))), None
    except ExchangeFailed as fault:
        return Answer(Retry(fault.why), None, fault.milliseconds), None
    answer = Answer(classify(exchange, client.now_us()), exchange.status, exchange.milliseconds,
                    kept(exchange.body, secrets))
    return answer, exchange


def kept(body: bytes, secrets: tuple[str, ...]) -> str:
    """What is kept of an answer: readable, short, without our secrets even if the target echoes them."""
    text = body.decode("utf-8", "replace")
    for secret in secrets:
        if secret:
            text = text.replace(secret, "********")
    return text[:KEPT_MAX]


class _Backend(GuardedBackend):
    """The guard of a connection that serves several requests, one after the other, each with a deadline of its own."""

    def begin(self, deadline: float) -> None:
        """The next request ends by `deadline` (monotonic seconds); nothing of it was sent yet."""
        self._deadline, self.written = deadline, False


@dataclass(eq=False)
class _Session:
    backend: _Backend
    client: httpx.Client
    born: float
    used: float = 0.0

    def fresh(self, now: float) -> bool:
        """Whether it may serve another request."""
        return now - self.used < IDLE_SECONDS and now - self.born < LIFE_SECONDS


class _Transport(httpx.BaseTransport):
    """httpx over an httpcore pool with our network backend; faults surface as httpcore's."""

    def __init__(self, backend: GuardedBackend, context: ssl.SSLContext) -> None:
        self._pool = httpcore.ConnectionPool(ssl_context=context, network_backend=backend, max_connections=1,
                                             max_keepalive_connections=1, keepalive_expiry=IDLE_SECONDS, http1=True, http2=False, retries=0)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        answer = self._pool.handle_request(httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw, content=request.stream, extensions=request.extensions))
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer),
                              extensions=answer.extensions)

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._answer.iter_stream())

    def close(self) -> None:
        self._answer.close()
