"""Which addresses may be connected to, and a network backend that connects to nothing else, within one deadline."""
from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

Resolve = Callable[[str, int], list[str]]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NEVER = tuple(ipaddress.ip_network(network) for network in (
    # what Python's tables (they differ from version to version) do not call private: IETF protocol assignments, the
    # 6to4 relays, NAT64 inside a site (RFC 8215), site-local addresses of old
    "192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "fec0::/10",
))


class EgressRefused(Exception):
    """The address is not one we connect to; nothing was sent."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, in the system's order of preference. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def public(address: str) -> bool:
    """Whether an address is one of the public internet: no private, shared, loopback, link-local, multicast or
    reserved one, none that wraps an IPv4 address in IPv6 (mapped), and no tunnel or NAT64 form of a private one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if not ip.is_global or ip.is_multicast or ip.is_reserved or ip.is_unspecified:
        return False
    if any(ip in network for network in _NEVER):
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return False
        inner = [ip.sixtofour, *(ip.teredo or ())]
        if ip in _NAT64:
            inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        return all(public(str(v4)) for v4 in inner if v4 is not None)
    return True


class GuardedBackend(httpcore.NetworkBackend):
    """Resolves once, connects to an allowed one of those very addresses, and lets nothing outlast `deadline`
    (monotonic seconds): a receiver that drips a byte at a time is cut off like a silent one."""

    def __init__(self, allow_private: bool, deadline: float, resolve: Resolve = resolve,
                 monotonic: Callable[[], float] = time.monotonic) -> None:
        self._inner = httpcore.SyncBackend()
        self._allow_private, self._deadline, self._resolve, self._now = allow_private, deadline, resolve, monotonic
        self.written = False
        """Whether anything of a request may have left: after a fault with False, the target cannot have acted."""

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
                    socket_options: Iterable[Any] | None = None) -> httpcore.NetworkStream:
        try:
            found = self._resolve(host, port)
        except OSError as fault:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {fault}") from fault
        allowed = [a for a in found if self._allow_private or public(a)]
        if not allowed:
            raise EgressRefused(f"{host} is {', '.join(found) or 'nowhere'}: not a public address; "
                                "set allow_private=true on this target if that is meant")
        last: Exception | None = None
        for address in allowed[:3]:
            try:
                stream = self._inner.connect_tcp(address, port, self.left(timeout), local_address, socket_options)
                return _Stream(stream, self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as fault:
                last = fault
        raise last or httpcore.ConnectError(f"{host} cannot be connected")

    def left(self, timeout: float | None) -> float:
        """Seconds an operation may still take. Raises `httpcore.ReadTimeout` when there are none."""
        left = self._deadline - self._now()
        if left <= 0:
            raise httpcore.ReadTimeout("no answer within the time limit")
        return left if timeout is None else min(left, timeout)


class _Stream(httpcore.NetworkStream):
    """A stream whose every operation ends by the backend's deadline."""

    def __init__(self, inner: httpcore.NetworkStream, backend: GuardedBackend) -> None:
        self._inner, self._backend = inner, backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._backend.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._backend.written = True
        self._inner.write(buffer, self._backend.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None,
                  timeout: float | None = None) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, self._backend.left(timeout)), self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
