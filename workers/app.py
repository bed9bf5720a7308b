"""The Celery app: tasks that run the very functions of the embedded worker; a message is only an alarm clock."""
from __future__ import annotations

import os
from functools import cache

from celery import Celery

from lrs.config import load
from lrs.services import Services
from lrs.store.open_store import open_store
from workers.connectors.registry import connectors
from workers.deliver import deliver_once
from workers.route import route_once
from workers.run import now_us

HARD_LIMIT_SECONDS = 300
EVERY_SECONDS = 1.0

app = Celery("concord-lrs", broker=os.environ.get("LRS_BROKER_URL", "redis://127.0.0.1:6379/0"))
app.conf.update(
    task_serializer="json", accept_content=["json"], task_ignore_result=True, task_acks_late=True,
    task_reject_on_worker_lost=True, worker_prefetch_multiplier=1, task_time_limit=HARD_LIMIT_SECONDS,
    # a message comes back only after no worker can still be at it
    broker_transport_options={"visibility_timeout": 2 * HARD_LIMIT_SECONDS},
    broker_connection_retry_on_startup=True,
    beat_schedule={name: {"task": f"workers.app.{name}", "schedule": EVERY_SECONDS} for name in ("route", "deliver", "upkeep")},
)


@cache
def services() -> Services:
    """The process's services, opened by its first task."""
    # the broker is Celery's business alone: the LRS itself runs without one
    settings = load({name: value for name, value in os.environ.items() if name != "LRS_BROKER_URL"}, None)
    return Services(settings, open_store(settings.data))


@app.task
def route() -> None:
    """Route until nothing is left; run twice at once, one run wins each round."""
    while (done := route_once(services())).statements or done.changes:
        pass


@app.task
def deliver() -> None:
    """Deliver what is due."""
    known = connectors(now_us)
    while deliver_once(services(), now_us, known):
        pass


@app.task
def upkeep() -> None:
    """Index upkeep in one slice."""
    services().store.statements.merge_postings()
    services().store.statements.do_shadow_todo()
