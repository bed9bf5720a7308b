"""A large attachment, and a large document, go through the running LRS without being held in memory."""
from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

MB = 2**20
PIECES, PIECE = 256, os.urandom(MB // 4)
MOST = 30 * MB


def memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def web_process(parent: int) -> int:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if f"lrs.serve.web\0{parent}\0" in (folder / "cmdline").read_text(errors="replace"):
                    return int(folder.name)
            except OSError:
                continue
    raise AssertionError("there is no web process")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[int, int, str]]:
    """(port, process id of the web process, Authorization)."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "lrs", "serve", "--data", str(tmp_path / "data"), "--port", str(port)],
                              stdout=subprocess.DEVNULL,
                              env=os.environ | {"LRS_BODY_MAX": str(100 * MB), "LRS_DOCUMENT_MAX": str(100 * MB)})
    try:
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1)
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.05)
        first = json.loads((tmp_path / "data" / "first-credential").read_text())
        basic = base64.b64encode(f"{first['key']}:{first['secret']}".encode()).decode()
        yield port, web_process(server.pid), f"Basic {basic}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def test_64_megabytes_in_and_out_raise_memory_by_less_than_30(running: tuple[int, int, str], tmp_path: Path) -> None:
    port, web, basic = running
    headers = {"Authorization": basic, "X-Experience-API-Version": "1.0.3"}
    digest = hashlib.sha256()
    for _ in range(PIECES):
        digest.update(PIECE)
    sha2 = digest.hexdigest()
    statement = {
        "id": str(uuid.uuid4()), "actor": {"mbox": "mailto:ann@example.com"}, "verb": {"id": "http://x.example/filmed"},
        "object": {"id": "http://x.example/a"}, "attachments": [
            {"usageType": "http://x.example/film", "display": {"en": "A film"}, "contentType": "video/mp4", "length": PIECES * len(PIECE),
             "sha2": sha2}]}
    before = b"--edge\r\nContent-Type: application/json\r\n\r\n" + json.dumps(statement).encode() + (
        f"\r\n--edge\r\nContent-Type: video/mp4\r\nContent-Transfer-Encoding: binary\r\nX-Experience-API-Hash: {sha2}\r\n\r\n").encode()
    after = b"\r\n--edge--\r\n"
    length = len(before) + PIECES * len(PIECE) + len(after)

    def body() -> Iterator[bytes]:
        yield before
        for _ in range(PIECES):
            yield PIECE
        yield after

    at_rest, peak = memory(web), 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", "/xapi/statements", body(), {
        **headers, "Content-Type": "multipart/mixed; boundary=edge", "Content-Length": str(length)})
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())) == (200, [statement["id"]])
    peak = max(peak, memory(web))

    connection.request("GET", f"/xapi/statements?statementId={statement['id']}&attachments=true", headers=headers)
    answer, came = connection.getresponse(), 0
    while piece := answer.read(MB):
        came += len(piece)
        peak = max(peak, memory(web))
    assert came > PIECES * len(PIECE)
    assert peak - at_rest < MOST, f"{(peak - at_rest) / MB:.0f} MB"
    assert not list((tmp_path / "data" / "attachments" / "incoming").iterdir())
    (kept,) = [file for file in (tmp_path / "data" / "attachments").rglob("*") if file.is_file()]
    assert (kept.name, kept.stat().st_size) == (sha2, PIECES * len(PIECE))


def test_a_document_of_64_megabytes_in_and_out_raises_memory_by_less_than_30(running: tuple[int, int, str]) -> None:
    port, web, basic = running
    headers = {"Authorization": basic, "X-Experience-API-Version": "1.0.3"}
    digest = hashlib.sha1()
    for _ in range(PIECES):
        digest.update(PIECE)
    path = "/xapi/activities/profile?activityId=http://x.example/a&profileId=film"
    at_rest, peak = memory(web), 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("PUT", path, (PIECE for _ in range(PIECES)), {
        **headers, "Content-Type": "video/mp4", "If-None-Match": "*", "Content-Length": str(PIECES * len(PIECE))})
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (204, b"")
    peak = max(peak, memory(web))

    connection.request("GET", path, headers=headers)
    answer, came = connection.getresponse(), []
    length = int(answer.headers["Content-Length"])
    while piece := answer.read(MB):  # as fast as can be: the server holds what a slow reader has not taken yet
        came.append(piece)
        peak = max(peak, memory(web))
    assert (length, answer.headers["ETag"]) == (PIECES * len(PIECE), f'"{digest.hexdigest()}"')
    assert hashlib.sha1(b"".join(came)).hexdigest() == digest.hexdigest()
    connection.request("HEAD", path, headers=headers)
    answer = connection.getresponse()
    assert (answer.read(), answer.status) == (b"", 200)
    assert peak - at_rest < MOST, f"{(peak - at_rest) / MB:.0f} MB"
