"""What large requests leave behind is given back."""
from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

PIECES = """
import psutil
from lrs.serve.heap import trim
mine = psutil.Process().memory_info
pieces = [b"x" * 100_000 for _ in range(600)]
del pieces[:-1]  # the last one lies above all of them
before = mine().rss
trim()
print((before - mine().rss) // 2**20)
"""


def test_what_is_free_below_a_piece_in_use_is_given_back() -> None:
    if not hasattr(ctypes.CDLL(None), "malloc_trim"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("this C library has no malloc_trim: nothing is given back here")
    done = subprocess.run([sys.executable, "-c", PIECES], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 40, f"{done.stdout} MB were given back of 57"
