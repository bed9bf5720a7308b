"""One LRS with its Redis and its receiver for the tests of a module."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "parts"))

from celery_receiver import Receiver
from celery_site import Site


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A target that remembers what came."""
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One LRS for the tests of a module."""
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.stop()
