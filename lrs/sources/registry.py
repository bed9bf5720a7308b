"""The sources of live sessions that a connection can have, with what each asks of whoever sets it up."""
from __future__ import annotations

from collections.abc import Mapping

from lrs.schema import Setting
from lrs.sources.zoom.settings import SCHEMA as ZOOM

SOURCES: Mapping[str, tuple[Setting, ...]] = {"zoom": ZOOM}
"""Source → its settings. The source is also the first part of the hook's address: `/hooks/<source>/<connection>`."""
