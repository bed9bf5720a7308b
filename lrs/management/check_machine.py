"""Checks of the machine: address, certificate, data directory, disk, SQLite, clock, broker."""
from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import shutil
import socket
import ssl
import stat
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from lrs.management.findings import ERROR, WARNING, Finding, Look
from lrs.store.sqlite import served
from lrs.store.sqlite.version import OLDEST, version

DISK_LEAST, DISK_FEW = 200 * 2**20, 2 * 2**30
"""Free bytes below which nothing can be promised, and below which somebody should know."""

EXPIRES_SOON_DAYS = 21
CLOCK_STARTS = datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1_000_000
"""A clock before this was never set."""

TLS_FILES = "give a certificate chain and its unencrypted private key, both PEM"
REMOTE_FILES = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "glusterfs", "fuse.glusterfs")
"""File systems on which SQLite's write-ahead log and kernel locks do not hold (https://sqlite.org/wal.html, section 1)."""


def address(look: Look) -> Iterator[Finding]:
    """Whether the address can be listened on, and whether it is safe to."""
    host, port, where = look.settings.host, look.settings.port, f"{look.settings.host}:{look.settings.port}"
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
    except (socket.gaierror, UnicodeError):
        yield Finding(ERROR, "host", f"{host} is no address of this machine", "set host (LRS_HOST) to one, or to 127.0.0.1")
        return
    if not (_loopback(host) or look.settings.tls_certificate or look.settings.behind_proxy):
        yield Finding(ERROR, "host", f"{host} can be reached from other machines, and credentials would travel in the clear",
                      "set tls_certificate and tls_key, or behind_proxy where a proxy speaks TLS")
    if _serving(look.settings.data):
        return
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as fault:
        yield _cannot_listen(fault, where)


def _cannot_listen(fault: OSError, where: str) -> Finding:
    told = {
        errno.EADDRINUSE: ("is in use by another program", "end that program, or choose another port (LRS_PORT)"),
        errno.EACCES: ("needs more rights than this user has", "choose a port above 1023 (LRS_PORT), with a proxy in front"),
        errno.EADDRNOTAVAIL: ("is no address of this machine", "set host (LRS_HOST) to one, or to 127.0.0.1"),
    }
    what, mend = told.get(fault.errno or 0, (f"cannot be listened on: {fault.strerror}", "choose another host or port"))
    return Finding(ERROR, "port", f"{where} {what}", mend)


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _serving(data: Path) -> bool:
    """Whether `lrs serve` runs on this directory: then the port is taken by us."""
    with contextlib.suppress(OSError):
        return served.is_held(data)
    return False


def certificate(look: Look) -> Iterator[Finding]:
    """Whether the TLS files fit each other, today and the host that clients ask for."""
    file, key = look.settings.tls_certificate, look.settings.tls_key
    if file is None or key is None:
        return
    for name, path in (("tls_certificate", file), ("tls_key", key)):
        if not os.access(path, os.R_OK):
            yield Finding(ERROR, name, f"{path} is not there or cannot be read", "give a PEM file that the user of the LRS can read")
            return
    if stat.S_IMODE(key.stat().st_mode) & 0o007:
        yield Finding(WARNING, "tls_key", f"everybody on this machine can read {key}", f"chmod o= {key}")
    try:
        server = tls(file, key)
    except (OSError, ValueError) as fault:
        yield Finding(ERROR, "tls_certificate", f"{file} and {key} cannot be used together: {fault}", TLS_FILES)
        return
    code, ends = _shake_hands(server, file)
    if code:
        what = {9: "is not yet valid", 10: "has expired"}.get(code, f"is not accepted (verify code {code})")
        yield Finding(ERROR, "tls_certificate", f"{file} {what}", "have it renewed, then start the LRS again")
    elif (left := ends - look.now_us / 1e6) < EXPIRES_SOON_DAYS * 86_400:
        yield Finding(WARNING, "tls_certificate", f"{file} expires in {max(0, int(left // 86_400))} days", "have it renewed")
    host = urlsplit(look.settings.public_url).hostname or ""
    if not code and not _loopback(host) and _shake_hands(server, file, host)[0]:
        yield Finding(WARNING, "public_url", f"the certificate is not for {host}", "correct public_url, or get a certificate for it")


def tls(file: Path, key: Path) -> ssl.SSLContext:
    """A server's side with these files. Raises OSError or ValueError where they cannot be read, or not be used together."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file, key, password="")
    return server


def _shake_hands(server: ssl.SSLContext, file: Path, host: str = "") -> tuple[int, float]:
    """The code with which a client that trusts this very certificate refuses it (0: it does not; for `host` if given),
    and when it ends, seconds since 1970. All in memory."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = bool(host)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(file)
    here, there = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(here, there, server_hostname=host or None)
    answering = server.wrap_bio(there, here, server_side=True)
    try:
        for _ in range(10):
            for side in (asking, answering):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
        return 0, ssl.cert_time_to_seconds(str((asking.getpeercert() or {})["notAfter"]))
    except ssl.SSLCertVerificationError as fault:
        return fault.verify_code, 0.0


def directory(look: Look) -> Iterator[Finding]:
    """Whether the data directory can be written, and by whom it can be read."""
    data = look.settings.data
    if look.settings.facts:
        yield from _writable("facts", look.settings.facts)
    unfit = list(_writable("data", data))
    yield from unfit
    if unfit or not os.path.exists(data):
        return
    for path in sorted(data.glob("*.db*")):
        if not os.access(path, os.R_OK | os.W_OK):
            yield Finding(ERROR, str(path), "belongs to another user and cannot be written", f"chown it to the user of the LRS: {path}")
    if stat.S_IMODE(data.stat().st_mode) & 0o007:
        yield Finding(WARNING, "data", f"everybody on this machine can look into {data}, and learners are in it", f"chmod o= {data}")
    kind = _file_system(data.resolve())
    if kind in REMOTE_FILES and not look.settings.store:
        yield Finding(ERROR, "data", f"{data} is on {kind}, where SQLite loses writes", "put it on a disk of this machine")


def _writable(name: str, folder: Path) -> Iterator[Finding]:
    """Whether the directory of this setting can be written, or made."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.exists(path))
    if not there.is_dir():
        yield Finding(ERROR, name, f"{there} is a file", f"set {name} (LRS_{name.upper()}) to a directory")
        return
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    except OSError as fault:
        mend = (f"give it to the user of the LRS: chown -R <user> {there}" if there == folder.absolute() else
                f"make it for the user of the LRS: install -d -m 0700 -o <user> {folder.absolute()}")
        yield Finding(ERROR, name, f"nothing can be written in {there}: {fault.strerror}", mend)


def _file_system(path: Path) -> str:
    found = ("", "")
    with contextlib.suppress(OSError):
        for line in Path("/proc/mounts").read_text(errors="replace").splitlines():
            _, mounted, kind, *_ = [*line.split(" "), "", "", ""]
            if path.is_relative_to(mounted or "?") and len(mounted) >= len(found[0]):
                found = (mounted, kind)
    return found[1]


def disk(look: Look) -> Iterator[Finding]:
    """Whether there is room."""
    data = look.settings.data.absolute()
    there = next(path for path in (data, *data.parents) if os.path.exists(path))
    usage = shutil.disk_usage(there)
    free = usage.free
    if usage.total and free < DISK_FEW:
        level = ERROR if free < DISK_LEAST else WARNING
        yield Finding(level, "data", f"{free // 2**20} MB are free on the disk of {there}",
                      "make room, or move the data directory; a full disk means that statements are refused with 503")


def sqlite(look: Look) -> Iterator[Finding]:
    """Whether SQLite is new enough."""
    if version() < OLDEST and not look.settings.store:
        yield Finding(ERROR, "SQLite", f"Python was built with SQLite {'.'.join(map(str, version()))}",
                      f"use a Python with SQLite {'.'.join(map(str, OLDEST))} or newer")


def clock(look: Look) -> Iterator[Finding]:
    """Whether the clock is set, and not behind what is stored: `stored` never runs backwards."""
    if look.now_us < CLOCK_STARTS:
        yield Finding(ERROR, "clock", f"this machine believes it is {_day(look.now_us)}", "set the clock; let NTP keep it")
    last = look.store.statements.last_seq() if look.store else 0
    if last > look.now_us + 1_000_000:
        behind = (last - look.now_us) / 1e6
        yield Finding(ERROR, "clock", f"it is {behind:.0f} s behind the newest stored statement: until it has caught up, statements are "
                                      "stamped with times that are not true", "set the clock; let NTP keep it")


def _day(us: int) -> str:
    return datetime.fromtimestamp(us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def broker(look: Look) -> Iterator[Finding]:
    """Whether Celery's broker answers, and whether a worker does."""
    url = look.settings.broker_url
    if not url or not look.network:
        return
    # imported here: Celery takes a third of a second
    from workers.broker import no_answer, workers_there

    why = no_answer(url)
    if why:
        yield Finding(ERROR, "broker_url", f"the broker does not answer: {why}",
                      "start it, or correct LRS_BROKER_URL; statements are taken meanwhile, and wait")
    elif not workers_there(url):
        yield Finding(WARNING, "broker_url", "the broker answers, and no worker does",
                      "start celery -A workers.app worker, and celery -A workers.app beat")
