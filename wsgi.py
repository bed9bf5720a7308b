"""The composition root of the web: settings → services → application, a plain WSGI callable for any server."""
from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

_one_at_a_time = threading.Lock()
_built: list[Callable[..., Iterable[bytes]]] = []


def build() -> Callable[..., Iterable[bytes]]:
    """The application over the store that the settings name (`LRS_*`, `lrs.toml`)."""
    from lrs import traces
    from lrs.app import create_app
    from lrs.config import file_of, load
    from lrs.metrics import Metrics
    from lrs.serve.forwarded import Forwarded
    from lrs.services import Services, store_of
    from workers.wake import wake_of

    settings = load(os.environ, file_of(os.environ))
    services = Services(settings, store_of(settings), wake_of(settings), metrics=Metrics(settings.data / "metrics"),
                        traces=traces.opened(settings.otel_endpoint))
    app = create_app(services)
    return Forwarded(app.wsgi_app, settings.trusted_proxies, settings.public_url)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The WSGI entry (PEP 3333); the first request composes it, so that importing this module costs nothing."""
    if not _built:
        with _one_at_a_time:
            if not _built:
                _built.append(build())
    return _built[0](environ, start_response)
