"""The parts that the tests of deployment start are those of the other tests of real servers."""
from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "parts"))
