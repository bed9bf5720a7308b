"""The provider's guide, run as it stands: each block of sh in one shell against a live server, and what it says is printed."""
from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from lrs import http
from lrs.auth.scopes import MEANING

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "xapi.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
END = "-- end of block --"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    running = subprocess.Popen([sys.executable, "-m", "lrs", "serve", "--data", str(tmp_path / "data"), "--port", str(port)],
                               stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1)
                break
            except OSError:
                assert time.monotonic() < end
                assert running.poll() is None
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(30)


def test_every_block_does_what_the_page_says(server: str, tmp_path: Path) -> None:
    for program in ("curl", "bash"):
        assert shutil.which(program), f"{program} is not on PATH; install it: apt-get install {program}"
    blocks = BLOCK.findall(PAGE.read_text())
    assert len(blocks) > 10
    script = f'lrs() {{ LRS_DATA="{tmp_path / "data"}" LRS_PUBLIC_URL={server} "{sys.executable}" -m lrs "$@"; }}\n'
    script += "".join(f"{block}\necho; echo '{END}'\n" for block, _ in blocks).replace("http://127.0.0.1:8080", server)
    done = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    printed = done.stdout.split(END)
    for (block, said), got in zip(blocks, printed, strict=False):
        for line in said.replace("http://127.0.0.1:8080", server).splitlines():
            pattern = ".*".join(re.escape(part) for part in line.split("…"))
            assert re.search(re.sub(r"(\\ )+", r"\\s+", pattern), got), f"the page says {line!r} after\n{block}\nbut it prints\n{got}"


def test_the_page_explains_every_code_and_every_scope() -> None:
    page = PAGE.read_text()
    found = {answer.code for answer in http.ANSWERS.values()} | set(http.CODES.values())
    for source in (ROOT / "lrs").rglob("*.py"):
        found |= set(re.findall(r"""(?:Refused|refusal)\([^\n]*?, "([a-z_]+)"(?:\)|, )""", source.read_text()))
    assert {"version", "content_type", "busy"} <= found
    assert [code for code in sorted(found) if f"`{code}`" not in page] == []
    assert [scope for scope in MEANING if f"`{scope}`" not in page] == []


def test_every_help_in_a_refusal_is_a_page_that_is_there() -> None:
    pages = {http.HELP, *(answer.help for answer in http.ANSWERS.values())} - {""}
    for source in (ROOT / "lrs").rglob("*.py"):
        pages |= set(re.findall(r'(?:help=|HELP = )"(docs/[^"]+)"', source.read_text()))
    assert len(pages) > 1
    for page in pages:
        assert (ROOT / page.partition("#")[0]).is_file(), page


def test_every_link_of_the_guide_leads_somewhere() -> None:
    for page in (PAGE, ROOT / "docs" / "conformance.md"):
        for target in re.findall(r"\]\(([^)#]+\.md)?(#[^)]+)?\)", page.read_text()):
            there = page.parent / target[0] if target[0] else page
            assert there.is_file(), target
            anchors = {"#" + re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
                       for line in there.read_text().splitlines() if line.startswith("#")}
            assert not target[1] or target[1] in anchors, target
