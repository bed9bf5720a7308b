"""`lrs serve` keeps its promises about sockets, bodies, children and stopping."""
import json
import os
import signal
import subprocess
import sys
import threading
import time

import httpx
import psutil
import pytest
from every_store import every_store
from ports import LRS, free_port, listens, until
from running import STATEMENT, VERSION


def commits(wal):
    """How many transactions the write-ahead log holds (https://sqlite.org/fileformat2.html, section 4: a frame that
    ends one names the size of the database)."""
    data = wal.read_bytes()
    page, salt = int.from_bytes(data[8:12]), data[16:24]
    frames = [data[at : at + 24] for at in range(32, len(data), 24 + page)]
    return sum(frame[4:8] != b"\0\0\0\0" for frame in frames if frame[8:16] == salt)


@pytest.fixture
def running(run, place):
    return run(place=place)


def test_fifty_half_sent_bodies_occupy_no_request_thread(running):
    waiting = [running.half_sent(1000) for _ in range(50)]
    began = time.monotonic()
    answers = [running.post().status_code for _ in range(20)]
    assert answers == [200] * 20
    assert time.monotonic() - began < 10
    for connection in waiting:
        connection.close()


def test_a_body_that_takes_too_long_is_answered_408(run):
    running = run(LRS_BODY_SECONDS="1")
    connection = running.half_sent(1000)
    connection.settimeout(10)
    assert b" 408 " in connection.recv(4096).split(b"\r\n")[0]


def test_a_client_that_sends_20_mb_reads_the_413_that_names_the_limit(running):
    answer = httpx.post(running.url + "/xapi/statements", content=b"[" + b" " * 20_000_000 + b"]", auth=running.auth,
                        headers={**VERSION, "Content-Type": "application/json"}, timeout=30)
    assert answer.status_code == 413
    assert "body_max" in answer.text
    assert "16777216" in answer.text


def test_concurrent_posts_are_committed_in_groups(running):
    answers = []
    before = commits(running.folder / "data" / "statements.db-wal")

    def post():
        with httpx.Client(auth=running.auth, headers=VERSION, timeout=20) as client:
            answers.extend(client.post(running.url + "/xapi/statements", json=STATEMENT).status_code for _ in range(25))

    threads = [threading.Thread(target=post) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 400
    made = commits(running.folder / "data" / "statements.db-wal") - before
    print(f"400 statements in {made} commits")
    assert made < 200


@every_store
@pytest.mark.parametrize("name", ["web", "worker"])
def test_a_dead_child_is_started_again(running, name):
    first = running.child(name).pid
    os.kill(first, signal.SIGKILL)
    until(lambda: (child := running.child(name)) is not None and child.pid != first, 60,
          f"a new {name}")
    until(running.ready, 60, "it answers again")
    assert running.post().status_code == 200


@every_store
def test_several_web_processes_share_the_port_and_the_others_serve_while_one_is_dead(run, place):
    running = run(place=place, LRS_WEB_PROCESSES="3")
    # one that ends before all serve ends the start
    until(lambda: "Ctrl-C stops it" in (running.folder / "serve.log").read_text(), 60, "all of them serve")
    first = running.children("web")
    assert len(first) == 3
    os.kill(first[0].pid, signal.SIGKILL)
    # what it has accepted goes with it
    until(lambda: not first[0].is_running() or first[0].status() == psutil.STATUS_ZOMBIE, 10, "it is dead")
    assert [running.post().status_code for _ in range(5)] == [200] * 5
    until(lambda: len(set(running.children("web")) - set(first)) == 1, 60, "a new one")
    running.process.terminate()
    assert running.process.wait(60) == 0


def test_what_takes_memory_by_threads_has_few_heaps_unless_the_operator_says_otherwise(running, run):
    assert running.child("web").environ()["MALLOC_ARENA_MAX"] == "2"
    assert run("other", MALLOC_ARENA_MAX="7").child("web").environ()["MALLOC_ARENA_MAX"] == "7"


def test_nothing_listens_after_the_supervisor_is_killed(running):
    children = psutil.Process(running.process.pid).children(recursive=True)
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()
    until(lambda: not listens(running.port), 5, "the port is free")
    until(lambda: not any(c.is_running() and c.status() != psutil.STATUS_ZOMBIE for c in children), 5, "its children are gone")


@every_store
def test_a_stop_answers_what_is_in_flight(running):
    body = json.dumps(STATEMENT).encode()
    connection = running.half_sent(len(body), body[:10])
    connection.settimeout(20)
    time.sleep(0.3)
    running.process.terminate()
    time.sleep(0.3)
    connection.sendall(body[10:])
    assert b" 200 " in connection.recv(4096).split(b"\r\n")[0]
    assert running.process.wait(30) == 0
    assert not listens(running.port)


@pytest.mark.parametrize(("words", "told"), [(["--host", "0.0.0.0"], "--behind-proxy"), (["--port", "PORT"], "in use")])
def test_what_cannot_be_served_is_refused_with_a_sentence(running, tmp_path, words, told):
    words = [str(running.port) if word == "PORT" else word for word in words]
    done = subprocess.run([sys.executable, "-c", LRS, "--data", str(tmp_path / "other"), "serve", *words], capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 78
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("environ", "told"), [
    ({"LRS_TLS_CERTIFICATE": "/nowhere/c.pem", "LRS_TLS_KEY": "/nowhere/k.pem"}, "c.pem and tls_key /nowhere/k.pem cannot be used"),
    ({"LRS_TLS_CERTIFICATE": __file__, "LRS_TLS_KEY": __file__}, "give a certificate chain and its unencrypted private key"),
    ({"LRS_HOST": "no-such-host.invalid"}, "host no-such-host.invalid is no address of this machine")])
def test_what_no_process_could_use_is_refused_before_one_starts(tmp_path, environ, told):
    done = subprocess.run([sys.executable, "-c", LRS, "--data", str(tmp_path / "data"), "serve", "--port", str(free_port())], timeout=30,
                          capture_output=True, text=True, check=False, env={**os.environ, **environ})
    assert (done.returncode, "Traceback" in done.stderr, (tmp_path / "data").exists()) == (78, False, False), done.stderr
    assert told in done.stderr


def test_the_first_credential_is_written_where_only_its_owner_reads_it(tmp_path):
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", LRS, "--data", str(tmp_path / "data"), "serve", "--port", str(port)],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    place = tmp_path / "data" / "first-credential"
    until(lambda: place.exists() and listens(port), 20, "it is there")
    assert place.stat().st_mode & 0o777 == 0o600
    process.terminate()
    output = process.communicate(timeout=30)[0].decode()
    secret = next(word for word in place.read_text().replace('"', " ").split() if len(word) == 43)
    assert secret not in output
