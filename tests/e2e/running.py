"""`lrs serve` in a process of its own, for tests."""
import base64
import contextlib
import os
import socket
import subprocess
import sys

import httpx
import psutil
from ports import LRS, free_port, until
from real_parts import get

from lrs.auth import credentials
from lrs.store.open_store import open_store

STATEMENT = {"actor": {"mbox": "mailto:a@b.example"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/passed"},
             "object": {"id": "https://c.example/1"}}
SECRET = "whsec_" + "A" * 43 + "="
VERSION = {"X-Experience-API-Version": "1.0.3"}


class Running:
    """An LRS in a process of its own, and a credential for it."""

    def __init__(self, folder, place="", **environment):
        self.port, self.folder = free_port(), folder
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir(exist_ok=True)
        store = open_store(place or folder / "data")
        made = credentials.create(store.credentials, name="Tests", public_url=self.url, scopes=["all"])
        self.auth = (made.credential.key, made.secret)
        store.close()
        self.log = (folder / "serve.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-c", LRS, "--data", str(folder / "data"), "serve", "--port", str(self.port)],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env={**os.environ, "LRS_STORE": place, **environment})
        until(self.ready, 60, "it answers")

    def ready(self):
        with contextlib.suppress(httpx.TransportError):
            return get(self.url + "/health/ready", timeout=10).status_code == 200
        return False

    def post(self, statement=STATEMENT):
        return httpx.post(self.url + "/xapi/statements", json=statement, auth=self.auth, headers=VERSION, timeout=15)

    def child(self, name):
        return next(iter(self.children(name)), None)

    def children(self, name):
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if f"lrs.serve.{name}" in child.cmdline():
                    found.append(child)
        return found

    def half_sent(self, length, sent=b"{"):
        """A connection whose body never ends."""
        basic = base64.b64encode(":".join(self.auth).encode()).decode()
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.sendall((f"POST /xapi/statements HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {basic}\r\n"
                            f"X-Experience-API-Version: 1.0.3\r\nContent-Type: application/json\r\n"
                            f"Content-Length: {length}\r\n\r\n").encode() + sent)
        return connection
