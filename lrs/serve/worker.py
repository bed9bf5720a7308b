"""The worker process beside the web process: the consumers in a loop, until told to stop."""
from __future__ import annotations

import signal
import sys
import threading

from lrs import traces
from lrs.metrics import Metrics
from lrs.serve import child
from lrs.services import Services


def main(parent: int) -> None:
    """Run the consumers under `parent` until SIGTERM; what is under way is finished."""
    from workers.run import run_forever

    settings = child.begin(parent)
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    store = child.store_of(settings)
    services = Services(settings=settings, store=store, metrics=Metrics(settings.data / "metrics"),
                        traces=traces.opened(settings.otel_endpoint))
    try:
        run_forever(services, told)
    finally:
        if services.traces:
            services.traces.close()
        store.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
