"""A Redis channel whose connection is gone says so as a lost connection: the worker connects again, and does not end.

Celery collects a lost connection, by which kombu forgets the transport's client, and then closes it. If one channel could not be
closed at the first go (a BRPOP was pending, or messages in hand could not be put back), others are left for the second; that
makes a new pool, to put back what they have in hand, and reads the address from the client that was forgotten: `AttributeError:
'NoneType' object has no attribute 'hostname'`. Nobody takes that for a lost connection, and the worker ends with "Unrecoverable
error" when Redis goes away while tasks are running (kombu 5.7.0, Celery 5.7.0). An acknowledgement after the connection was closed
fails alike. It is the line of https://github.com/celery/kombu/issues/582, which was closed when its path to it was mended.

What is not put back is an alarm clock; the beat brings the next.
"""
from __future__ import annotations

from functools import wraps
from typing import Any

from kombu.transport.redis import Channel
from redis.exceptions import ConnectionError as Lost


def mend() -> None:
    """From now on, in this process and those it forks, a channel without a connection raises what the transport takes for a lost
    one. Once is enough; again does nothing."""
    real = Channel._connparams
    if hasattr(real, "__wrapped__"):
        return

    @wraps(real)
    def address(channel: Any, *args: Any, **options: Any) -> dict[str, Any]:
        if channel.connection is None or channel.connection.client is None:
            raise Lost("the connection of this channel was lost before")
        found: dict[str, Any] = real(channel, *args, **options)
        return found

    Channel._connparams = address
