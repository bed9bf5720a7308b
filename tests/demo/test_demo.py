"""The demo tells its story and comes out whole; a broken leg makes it fail by name."""
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from every_store import every_store

from lrs.store.open_store import open_store

LRS = "from lrs.cli.main import main; main()"


def demo(**environment):
    return subprocess.run([sys.executable, "-c", LRS, "demo", "--once"], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **environment}, check=False)


@pytest.mark.slow
@every_store
def test_the_story_comes_out_whole(place):
    told = demo(LRS_STORE=place)
    assert told.returncode == 0, told.stdout + told.stderr
    for words in ("Everything came out as it must", "unmapped", "(taken back)", "a person whom the directory does not know", ".parquet"):
        assert words in told.stdout


@pytest.mark.slow
@pytest.mark.parametrize("legs", [["hris", "feed"], ["hook", "crm", "export"]])
def test_broken_legs_are_named_and_end_with_1(legs):
    told = demo(LRS_DEMO_BREAK=",".join(legs))
    assert told.returncode == 1, told.stdout + told.stderr
    assert all(f"✗ {leg}" in told.stdout for leg in legs)
    assert told.stdout.count("✗") == len(legs), "only the broken legs fail"
    assert f"BROKEN: {', '.join(legs)}" in told.stdout


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_leaves_no_process_and_no_folder(how, tmp_path):
    lrs = subprocess.Popen([sys.executable, "-u", "-c", LRS, "demo", "--once"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           env={**os.environ, "TMPDIR": str(tmp_path)})
    while "data" not in (line := lrs.stdout.readline()):
        assert lrs.poll() is None, line
    served = line.split()[1]
    assert httpx.get(f"{served}/health/live").status_code == 200
    lrs.send_signal(how)
    rest = lrs.communicate(timeout=60)[0]
    assert (lrs.returncode, "Traceback" in rest) == (1, False)
    assert list(tmp_path.glob("concord-demo-*")) == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{served}/health/live")


def test_a_port_that_another_lrs_has_is_refused_and_nothing_is_told_to_it():
    with socket.create_server(("127.0.0.1", 0)) as other:
        words = [sys.executable, "-c", LRS, "demo", "--once", "--port", str(other.getsockname()[1])]
        told = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (told.returncode, told.stdout, "in use by another program" in told.stderr) == (78, "", True)


def test_a_leg_that_there_is_not_is_refused():
    told = demo(LRS_DEMO_BREAK="feed,moon")
    assert told.returncode == 78
    assert "hris, crm, feed, export, hook" in told.stderr


def test_a_database_in_use_is_left_alone(mongo_place):
    open_store(mongo_place).close()
    told = demo(LRS_STORE=mongo_place)
    assert (told.returncode, "empty database" in told.stderr) == (78, True)
