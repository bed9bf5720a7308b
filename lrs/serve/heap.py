"""Gives back to the system what large requests leave behind in glibc's heaps, which keep whatever lies below the last piece in use."""
from __future__ import annotations

import ctypes
import threading
import time

EVERY_SECONDS = 5.0
"""A large batch leaves some twenty megabytes; to give back sixty takes five milliseconds, and nothing a tenth of one."""


def keep_small() -> None:
    """Trim the heaps now and then, in a thread of its own, for as long as the process lives."""
    threading.Thread(target=_now_and_then, daemon=True, name="heap").start()


def trim() -> None:
    """Give back all whole pages that are free, wherever they lie; nothing where the C library has no such call (musl, macOS)."""
    # a library function called this way lets other threads run meanwhile
    if call := getattr(ctypes.CDLL(None), "malloc_trim", None):
        call(0)


def _now_and_then() -> None:
    while True:
        time.sleep(EVERY_SECONDS)
        trim()
