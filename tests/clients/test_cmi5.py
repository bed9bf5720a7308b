"""Content with @xapi/cmi5, unchanged and in a real browser, is launched by an LMS and reports with the launch's credential."""
from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
import urllib.request
import uuid
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from test_browser import FLAGS, Quiet

ACTIVITY = "https://lms.example.com/activities/fire-safety"
ADA = {"objectType": "Agent", "account": {"homePage": "https://lms.example.com", "name": "ada"}}
CATEGORY = "https://w3id.org/xapi/cmi5/context/categories/"


def asked(lrs: Any, method: str, url: str, body: Any = None) -> Any:
    """The LMS's request to the LRS, and the answer's JSON."""
    token = base64.b64encode(f"{lrs.key}:{lrs.secret}".encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json", "X-Experience-API-Version": "1.0.3"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=20) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def test_launched_content_reports_from_initialized_to_terminated(lrs: Any, node_modules: Path, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("chromium is not on PATH; install it: apt-get install chromium")
    pages = tmp_path / "pages"
    pages.mkdir()
    for file in (Path(__file__).with_name("cmi5.html"), node_modules / "node_modules/@xapi/cmi5/dist/Cmi5.umd.js"):
        shutil.copy(file, pages)
    registration, session = str(uuid.uuid4()), str(uuid.uuid4())
    context = {"contextActivities": {"grouping": [{"id": "https://publisher.example.com/fire"}]},
               "extensions": {"https://w3id.org/xapi/cmi5/context/extensions/sessionid": session}}
    at = urlencode({"activityId": ACTIVITY, "agent": json.dumps(ADA), "registration": registration, "stateId": "LMS.LaunchData"})
    asked(lrs, "PUT", f"{lrs.url}/activities/state?{at}", {"contextTemplate": context, "launchMode": "Normal", "moveOn": "Passed",
                                                          "masteryScore": 0.8})
    made = asked(lrs, "POST", lrs.url.removesuffix("/xapi") + "/api/v1/credentials/launch",
                 {"actor": ADA, "activity": ACTIVITY, "registration": registration, "minutes": 5})
    content = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(pages)))
    threading.Thread(target=content.serve_forever, daemon=True).start()
    try:
        done = subprocess.run([chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}",
                               f"http://localhost:{content.server_port}/cmi5.html?{made['query']}"],
                              capture_output=True, text=True, timeout=90)
    finally:
        content.shutdown()
        content.server_close()
    assert '<pre id="said">all good</pre>' in done.stdout, done.stdout[-3000:] + done.stderr[-2000:]
    found = asked(lrs, "GET", f"{lrs.url}/statements?" + urlencode({"registration": registration, "ascending": "true"}))["statements"]
    assert [one["verb"]["id"].rpartition("/")[2] for one in found] == ["initialized", "completed", "passed", "terminated"]
    assert {one["object"]["id"] for one in found} == {ACTIVITY}
    assert {one["authority"]["account"]["name"] for one in found} == {lrs.key}
    assert all({"id": CATEGORY + "cmi5"}.items() <= one["context"]["contextActivities"]["category"][0].items() for one in found)
