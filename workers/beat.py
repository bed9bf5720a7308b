"""The beat's scheduler: rings for every kind of work in turn. It keeps no file, so that two beats may run side by side."""
from __future__ import annotations

import logging
from typing import Any

from celery.beat import Scheduler

from workers.broker import Bell

log = logging.getLogger("workers.beat")


class Ringer(Scheduler):
    """Sends a message only where none is waiting: while the workers are away, queues do not grow. A broker that is
    away is asked again at the next turn, for ever."""

    #: the base class would connect here, and give up after a while
    producer = None

    def __init__(self, app: Any, *args: Any, **options: Any) -> None:
        super().__init__(app, *args, **options)
        self._bell, self._away = Bell(app), False

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Ring for one kind of work."""
        try:
            self._bell.ring(entry.name)
        except Exception as fault:
            if not self._away:
                log.warning("the broker does not answer: %s", fault)
            self._away = True
            return
        if self._away:
            log.info("the broker answers again")
        self._away = False
