"""A real RabbitMQ for tests, with its own folder, cookie and epmd: Debian's package, started by hand and stopped by pid."""
from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
from kombu import Connection
from real_parts import Part, free_port, program

DEBIAN = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The server itself: what Debian puts on PATH changes to another user first."""


class RabbitMQ:
    """One node that can be killed and started again on the same port with what it had on disk."""

    def __init__(self, folder: Path) -> None:
        self._program = str(DEBIAN) if DEBIAN.exists() else program("rabbitmq-server", "apt-get install rabbitmq-server")
        self.folder, self.port, registry = folder / "rabbitmq", free_port(), free_port()
        self.folder.mkdir()
        (self.folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n")
        (self.folder / "plugins").write_text("[].\n")
        at = str(self.folder)
        self._environ = {
            "PATH": os.environ["PATH"], "HOME": at, "LANG": "C.UTF-8", "RABBITMQ_NODENAME": f"lrs{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": f"{at}/mnesia", "RABBITMQ_LOG_BASE": f"{at}/log", "RABBITMQ_PID_FILE": f"{at}/pid",
            "RABBITMQ_CONFIG_FILE": f"{at}/rabbitmq", "RABBITMQ_ENABLED_PLUGINS_FILE": f"{at}/plugins",
            "RABBITMQ_DIST_PORT": str(free_port()), "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(registry),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        # Erlang would leave one behind
        self._epmd = Part(["epmd", "-port", str(registry), "-address", "127.0.0.1"], folder, "epmd", self._environ)
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self.start()

    def start(self) -> None:
        """Start it; returns when it answers."""
        self.part = Part([self._program], self.folder, "server", self._environ)
        self.part.ready(self._answers, 90)

    def kill(self) -> None:
        """kill -9."""
        for process in (*psutil.Process(self.part.process.pid).children(recursive=True), self.part.process):
            process.send_signal(signal.SIGKILL)
        self.part.process.wait()
        while self._answers():
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it in good order, and its epmd."""
        self.part.stop(seconds=60)
        self._epmd.stop()

    def _answers(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
            return True
        except OSError:
            return False
