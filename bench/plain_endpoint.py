"""The yardstick of single POSTs: the product's server and framework around an endpoint that only parses and answers."""
from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys

import orjson
from flask import Flask, Response, request

from lrs.config import Settings
from lrs.serve import child
from lrs.serve.web import run, serve


def application() -> Flask:
    """POST /xapi/statements: the body is parsed, every statement must be an object with an id, the ids are answered."""
    app = Flask(__name__)

    @app.post("/xapi/statements")
    def statements() -> Response:
        value = orjson.loads(request.get_data())
        found = value if isinstance(value, list) else [value]
        if request.authorization is None or not all(isinstance(one, dict) and "actor" in one for one in found):
            return Response("{}", 400)
        return Response(orjson.dumps([one["id"] for one in found]), mimetype="application/json")

    return app


async def _until_told(listening: socket.socket, ready_fd: int) -> bool:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    return await serve(application().wsgi_app, listening, Settings(), told, lambda: os.write(ready_fd, b"1") and None)


if __name__ == "__main__":
    parent, listening_fd, ready = (int(argument) for argument in sys.argv[1:4])
    child.die_with(parent)
    with contextlib.suppress(KeyboardInterrupt):
        run(_until_told(socket.socket(fileno=listening_fd), ready))
    os._exit(0)
