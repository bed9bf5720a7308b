"""What the figures were measured on: processor, versions, and how long this disk takes to make a write durable."""
from __future__ import annotations

import os
import platform
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import quantiles


def described() -> dict[str, str]:
    """The machine in words."""
    cpu = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    return {"processor": f"{cpu}, {os.cpu_count()} cores", "system": platform.platform(), "python": sys.version.split()[0],
            "sqlite": sqlite3.sqlite_version, "load before": f"{os.getloadavg()[0]:.2f}"}


def fsync_ms(folder: Path, n: int = 200) -> tuple[float, float]:
    """Milliseconds (p50, p99) of appending 4 kB and making it durable, in this folder."""
    took = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(n):
            file.write(b"x" * 4096)
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - start) * 1000)
    cut = quantiles(took, n=100)
    return cut[49], cut[98]


def rss_mb(pid: int) -> float:
    """Resident memory of a process, MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak_mb() -> float:
    """The most that this program had resident, MB. `ru_maxrss` would count what the process was before it became this program."""
    told = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(told.split()[1]) * 1024 / 1e6


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def logs_mb(data: Path) -> float:
    """Megabytes of all write-ahead logs in this folder."""
    return sum(file.stat().st_size for file in data.glob("*-wal")) / 1e6


@contextmanager
def highest_logs_mb(data: Path) -> Iterator[list[float]]:
    """The most that the write-ahead logs together hold while the block runs, in the one place of the list; they shrink between two
    looks, of which there are ten a second."""
    most, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            with suppress(FileNotFoundError):  # gone between its name and its size, when all is closed
                most[0] = max(most[0], logs_mb(data))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield most
    finally:
        over.set()
        looking.join()
