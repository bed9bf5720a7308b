"""Tests that run on a store of each kind: the mark, and settings for the fixture `place` that it fills."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lrs.config import Settings

every_store = pytest.mark.parametrize("place", ["sqlite", "mongo"], indirect=True)


def settings_at(place: str, data: Path, **more: Any) -> Settings:
    """Settings of an LRS whose store is there, and whose files are in `data`."""
    return Settings(data=data, store=place, **more)
