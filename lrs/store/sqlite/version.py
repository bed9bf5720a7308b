"""Which SQLite this Python has, and which one the store needs."""
from __future__ import annotations

import sqlite3

OLDEST = (3, 35, 0)
"""`RETURNING` (https://sqlite.org/lang_returning.html)."""


def version() -> tuple[int, ...]:
    """The version of the library, not of Python's module."""
    return sqlite3.sqlite_version_info
