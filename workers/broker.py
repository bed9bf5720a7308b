"""What both ends of the broker agree on: Celery's settings, a queue for each kind of work, and how its bell is rung.

A message carries nothing: it is an alarm clock. What is to be done, and when, stands in the store.
"""
from __future__ import annotations

import contextlib
import threading
from typing import Any

from celery import Celery
from kombu import Connection, Exchange, Queue

from workers.consumers import CONSUMERS, places

HARD_LIMIT = 600
"""Seconds after which a task is killed. No slice of work takes as long."""

VISIBILITY = 2 * HARD_LIMIT
"""Seconds after which Redis hands an unacknowledged message out again: only when no worker can still be at it."""

RING_CONNECT_SECONDS, RING_SECONDS = 0.2, 0.5
"""How long ringing may wait for a connection, and for an answer of the broker."""


def task_name(name: str) -> str:
    """The Celery task that does this kind of work."""
    return f"workers.app.{name}"


def queue_name(name: str) -> str:
    """The queue of this kind of work; it holds at most an alarm clock or two."""
    return f"lrs.{name}"


def _queue(name: str) -> Queue:
    return Queue(queue_name(name), Exchange("lrs"), routing_key=name)


def configuration(broker_url: str, partitions: int = 1) -> dict[str, Any]:
    """Celery's settings over this broker, where routing has so many partitions."""
    names = list(CONSUMERS)
    return {
        "broker_url": broker_url, "broker_connection_retry_on_startup": True, "broker_connection_max_retries": None,
        "broker_connection_timeout": 2.0,
        # a broker that is there and says nothing is found out, too
        "broker_transport_options": {"visibility_timeout": VISIBILITY, "socket_connect_timeout": 2.0, "socket_timeout": 10.0,
                                     "socket_keepalive": True, "health_check_interval": 10},
        "broker_heartbeat": 20,
        "task_serializer": "json", "accept_content": ["json"], "event_serializer": "json",
        "task_ignore_result": True, "task_store_errors_even_if_ignored": False, "result_expires": None,
        "task_acks_late": True, "task_reject_on_worker_lost": True, "task_time_limit": HARD_LIMIT,
        "worker_prefetch_multiplier": 1,
        # a process for every slot of the table: no kind of work ever waits for another
        "worker_concurrency": sum(places(consumer, partitions) for consumer in CONSUMERS.values()),
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "task_queues": [_queue(name) for name in names],
        "task_routes": {task_name(name): {"queue": queue_name(name)} for name in names},
        "task_default_queue": queue_name(names[0]),
        "beat_scheduler": "workers.beat:Ringer",
        "beat_max_loop_interval": 1.0,
        "beat_schedule": {name: {"task": task_name(name), "schedule": one.every} for name, one in CONSUMERS.items()},
    }


class Bell:
    """Wakes a worker by a message, over one connection that is given up after a fault. Safe to use from threads."""

    def __init__(self, app: Celery) -> None:
        self._app, self._lock = app, threading.Lock()
        self._connection: Connection | None = None

    def ring(self, name: str) -> bool:
        """Have this kind of work done soon; False if a message for it was waiting already, so that a queue stays short
        however long the workers are away. Raises what the broker's driver raises, within about a second."""
        with self._lock:
            try:
                return self._ring(name)
            except Exception:
                self._drop()
                raise

    def _ring(self, name: str) -> bool:
        if self._connection is None:
            self._connection = self._app.connection_for_write(
                connect_timeout=RING_CONNECT_SECONDS,
                transport_options={"socket_connect_timeout": RING_CONNECT_SECONDS, "socket_timeout": RING_SECONDS,
                                   "max_retries": 1, "interval_start": 0.0, "interval_step": 0.0})
        channel = self._connection.default_channel
        if _queue(name)(channel).queue_declare().message_count:
            return False
        self._app.send_task(task_name(name), queue=queue_name(name), connection=self._connection, retry=False, ignore_result=True)
        return True

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.collapse()


def client(broker_url: str) -> Celery:
    """A Celery that only rings."""
    app = Celery("concord-lrs-bell", set_as_current=False)
    app.conf.update(configuration(broker_url))
    return app


def no_answer(broker_url: str) -> str:
    """Why the broker cannot be talked to, '' if it can. Takes two seconds at most."""
    connection = client(broker_url).connection_for_write(
        connect_timeout=1.0, transport_options={"socket_connect_timeout": 1.0, "socket_timeout": 1.0})
    try:
        connection.connect()
    except Exception as fault:
        return str(fault) or type(fault).__name__
    finally:
        with contextlib.suppress(Exception):
            connection.collapse()
    return ""


def workers_there(broker_url: str, seconds: float = 1.0) -> list[str]:
    """The names of the workers that answer within so many seconds. Raises what the broker's driver raises."""
    answers: list[dict[str, Any]] = client(broker_url).control.ping(timeout=seconds)
    return sorted(name for answer in answers for name in answer)
