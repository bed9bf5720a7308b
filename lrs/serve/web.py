"""The web process: Granian's embedded server on the supervisor's socket, in front of the adapter and the application."""
from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop
from granian._granian import SocketHolder
from granian.http import HTTP1Settings
from granian.server.common import HTTPModes, Interfaces
from granian.server.embed import Server

from lrs import traces
from lrs.app import create_app
from lrs.config import Settings
from lrs.metrics import Metrics
from lrs.serve import child
from lrs.serve.adapter import Adapter
from lrs.serve.forwarded import Forwarded
from lrs.serve.gateway import Wsgi
from lrs.serve.supervisor import BACKLOG
from lrs.services import Services
from workers.wake import wake_of

#: Connections that the server holds open at the same time.
CONNECTIONS = 4_096

#: Objects made, and young collections, after which Python looks for cycles.
COLLECT_AFTER = (50_000, 20, 20)


class OnSocket(Server):
    """Granian's server on a socket that is listening already: it outlives this process, so that a restart refuses
    no connection."""

    def __init__(self, listening: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._listening = listening

    def _init_shared_socket(self) -> None:
        # Granian closes it at the end; a Python socket that kept it would close someone else's file later.
        self._sfd = self._listening.detach()
        self._shd = SocketHolder(self._sfd, False, BACKLOG)


async def serve(app: Wsgi, listening: socket.socket, settings: Settings, until: asyncio.Event,
                ready: Callable[[], None] = lambda: None, metrics: Metrics | None = None) -> bool:
    """Serve `app` until the event is set, then answer what is in flight; False if `stop_seconds` were not enough."""
    limits = settings.limits
    adapter = Adapter(app, threads=settings.request_threads, body_max=limits.body_max, body_seconds=settings.body_seconds,
                      multipart_max=limits.attachment_max + limits.body_max, folder=settings.incoming,
                      metrics=metrics, refused_max=settings.refused_max,
                      proxied=bool(settings.behind_proxy or settings.trusted_proxies))
    server = OnSocket(
        listening, adapter, interface=Interfaces.RSGI, http=HTTPModes.http1, websockets=False, log_enabled=False,
        backlog=BACKLOG, backpressure=CONNECTIONS, ssl_cert=settings.tls_certificate, ssl_key=settings.tls_key,
        http1_settings=HTTP1Settings(header_read_timeout=settings.body_seconds * 1000),
    )
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(until.wait())
    await asyncio.sleep(0)
    ready()
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        stopping.cancel()
        serving.result()
        raise RuntimeError("the HTTP server ended by itself")
    answered = await adapter.stop(settings.stop_seconds)
    server.stop()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(serving, 2)
    return answered


def run(serving: Coroutine[Any, Any, bool]) -> bool:
    """What `serving` returns, on a loop whose wake-ups cost less than those of asyncio's own: each request has some."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serving)


async def _until_told(app: Wsgi, listening: socket.socket, services: Services, ready: Callable[[], None]) -> bool:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    return await serve(app, listening, services.settings, told, ready, services.metrics)


def main(parent: int, listening_fd: int, ready_fd: int) -> None:
    """Run the web process under `parent`; writes one byte to `ready_fd` when it serves."""
    settings = child.begin(parent)
    # Every connection is a file, and the usual soft limit is 1 024.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536) if hard > 0 else 65_536, hard))
    store = child.store_of(settings)
    services = Services(settings, store, wake_of(settings), metrics=Metrics(settings.data / "metrics"),
                        traces=traces.opened(settings.otel_endpoint))
    app = Forwarded(create_app(services).wsgi_app, settings.trusted_proxies, settings.public_url)

    def ready() -> None:
        with contextlib.suppress(OSError):
            os.write(ready_fd, b"1")
            os.close(ready_fd)

    # Statements come and go by the thousand and hold no cycles: looking for some after each 700 of them costs a tenth
    # of the time of a batch.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    answered = run(_until_told(app, socket.socket(fileno=listening_fd), services, ready))
    store.close()
    if services.traces:
        services.traces.close()
    # Threads that hang must not keep the process; what they had not acknowledged is not promised.
    sys.stderr.flush()
    os._exit(0 if answered else 1)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:4]))
