"""A page on another origin talks to the LRS in a real browser."""
from __future__ import annotations

import os
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--virtual-time-budget=10000", "--dump-dom")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing."""


def test_course_content_on_another_origin(lrs: Any, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("chromium is not on PATH; install it: apt-get install chromium")
    content = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(Path(__file__).parent)))
    threading.Thread(target=content.serve_forever, daemon=True).start()
    try:
        query = urlencode({"lrs": lrs.url, "key": lrs.key, "secret": lrs.secret})
        done = subprocess.run([chromium, *FLAGS, f"--user-data-dir={tmp_path}", f"http://localhost:{content.server_port}/page.html?{query}"],
                              capture_output=True, text=True, timeout=90)
    finally:
        content.shutdown()
        content.server_close()
    assert '<pre id="said">all good</pre>' in done.stdout, done.stdout[-3000:] + done.stderr[-2000:]
