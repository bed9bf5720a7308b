"""What can be done to a running LRS's disk, files, clock and descriptors, and undone again without its help."""
from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from campaign.served import Served, must

STEPPED = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset(void) {  /* seconds, as the file says now */
    char text[32] = {0};
    int file = open(getenv("CLOCK_OFFSET_FILE"), O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    if (read(file, text, sizeof text - 1) < 0) text[0] = 0;
    close(file);
    return atol(text);
}
int clock_gettime(clockid_t clock, struct timespec *at) {
    int failed = syscall(SYS_clock_gettime, clock, at);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += offset();
    return failed;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""
"""Steps the wall clock of a process while it runs, and that clock alone. libfaketime cannot: either it steps the monotonic
clock too, which no machine does, or it breaks absolute sleeps (EINVAL from clock_nanosleep, 0.9.10)."""
DISK_MB = 512

HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""
STUCK = """
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1] + ".writer", os.O_RDWR), fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def may_mount() -> bool:
    """Whether this process can mount a file system for the test."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    done = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    return done.returncode == 0


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of `DISK_MB` megabytes, mounted in the folder."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "campaign", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def disk_full(served: Served) -> Iterator[None]:
    """Nothing fits on the small disk any more."""
    ballast = served.data.parent / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    try:
        yield
    finally:
        ballast.unlink()


@contextlib.contextmanager
def files_full(served: Served) -> Iterator[None]:
    """No file of web and worker may grow beyond what the smallest of them has (RLIMIT_FSIZE): as on a full disk, without
    one, for who may not mount. Python ignores SIGXFSZ, so the write fails with EFBIG."""
    with _limited(served, resource.RLIMIT_FSIZE, lambda _: 4096):
        yield


@contextlib.contextmanager
def no_descriptors(served: Served) -> Iterator[None]:
    """Web and worker may open no file and accept no connection beyond those they have."""
    with _limited(served, resource.RLIMIT_NOFILE, lambda pid: psutil.Process(pid).num_fds()):
        yield


@contextlib.contextmanager
def _limited(served: Served, what: int, to: Callable[[int], int]) -> Iterator[None]:
    before = {pid: resource.prlimit(pid, what) for pid in (served.pid("web"), served.pid("worker"))}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, what, (to(pid), hard))
    try:
        yield
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, what, limits)


def may_freeze(folder: Path) -> bool:
    """Whether files in this folder can be made immutable (root, and a file system that knows it)."""
    if os.geteuid() != 0 or shutil.which("chattr") is None:
        return False
    probe = folder / "probe"
    probe.touch()
    good = subprocess.run(["chattr", "+i", str(probe)], capture_output=True, check=False).returncode == 0
    subprocess.run(["chattr", "-i", str(probe)], capture_output=True, check=False)
    probe.unlink()
    return good


@contextlib.contextmanager
def read_only(served: Served) -> Iterator[None]:
    """The files of the store can be read and not written (immutable: it binds root and files that are open, too)."""
    files = [str(file) for file in served.data.glob("*.db*") if not file.name.endswith((".writer", "-shm"))]
    subprocess.run(["chattr", "+i", *files], check=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *files], check=True)


@contextlib.contextmanager
def _beside(program: str, file: Path) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", program, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    must(process.stdout is not None and process.stdout.readline() == "held\n", "the other process holds the lock")
    try:
        yield
    finally:
        process.communicate("")


@contextlib.contextmanager
def locked(served: Served) -> Iterator[None]:
    """Another program (a shell, a backup) has a write transaction open in the file of the statements."""
    with _beside(HOLDER, served.data / "statements.db"):
        yield


@contextlib.contextmanager
def stuck(served: Served) -> Iterator[None]:
    """Another process of ours has the writers' turn and was stopped in the middle of it."""
    with _beside(STUCK, served.data / "statements.db"):
        yield


def stepped_clock(folder: Path) -> dict[str, str] | None:
    """The environment of processes whose wall clock is stepped by what `offset` in the folder says (seconds); None where
    there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    (folder / "stepped.c").write_text(STEPPED)
    (folder / "offset").write_text("0")
    library = folder / "stepped.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(folder / "stepped.c")], check=True)
    return {"LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(folder / "offset")}


def frames(wal: Path) -> tuple[int, int]:
    """(page size, valid frames) of a write-ahead log: those of the newest salt, as far as it reaches."""
    data = wal.read_bytes()
    if len(data) < 32:
        return 4096, 0
    size, salt = int.from_bytes(data[8:12]), data[16:24]
    count = 0
    while (at := 32 + count * (24 + size)) + 24 + size <= len(data) and data[at + 8:at + 16] == salt:
        count += 1
    return size, count


def sound(file: Path) -> bool:
    """Whether SQLite's own check finds the file whole."""
    with contextlib.closing(sqlite3.connect(file)) as db:
        return bool(db.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def nobody_holds(file: Path) -> bool:
    """Whether no process has the writers' turn."""
    descriptor = os.open(f"{file}.writer", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
