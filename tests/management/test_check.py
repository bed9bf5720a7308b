"""`lrs check`: each check finds what it is for when that very thing is broken, and nothing when all is well."""
from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections import namedtuple
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from lrs.auth import credentials
from lrs.cli.main import command
from lrs.completions.model import Course, Person
from lrs.config import Settings, load
from lrs.directory.csv import identifiers_of
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.management import check_machine
from lrs.management.check import CHECKS, check
from lrs.management.findings import ERROR, WARNING
from lrs.services import Services
from lrs.store.open_store import open_store
from lrs.store.protocols.connections import Connection
from lrs.store.protocols.work import TargetRow
from workers.connectors.registry import new_secret, settings_for

COURSE = "https://courses.acme.example/forklift"
COMPLETED = "http://adlnet.gov/expapi/verbs/completed"
AUTHORITY = {"account": {"homePage": "https://lrs.example", "name": "sim"}}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class World:
    """An LRS with nothing wrong, to break."""

    def __init__(self, folder):
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        self.settings: Settings = load({"LRS_DATA": str(self.data), "LRS_PORT": str(free_port())})
        self.store = open_store(self.data)
        self.credential = credentials.create(self.store.credentials, name="Sim", public_url="http://lrs.example").credential
        self.store.directory.put_people([Person("7", "ada@acme.example", identifiers=tuple(identifiers_of("7", ["ada@acme.example"])))])
        self.store.directory.put_courses([Course(COURSE)])
        self.send()

    def send(self, verb=COMPLETED, course=COURSE):
        one = {"id": str(uuid.uuid4()), "actor": {"mbox": "mailto:ada@acme.example"}, "verb": {"id": verb},
               "object": {"id": course, "definition": {"type": "http://adlnet.gov/expapi/activities/course"}}}
        accept(Services(self.settings, self.store), json.dumps(one).encode(), Provider("sim", frozenset(), "sim", AUTHORITY))
        # statements become visible to readers with the next tick of the clock
        time.sleep(0.01)

    def target(self, name="hook", **settings):
        given = settings_for("webhook", {"url": f"http://127.0.0.1:{free_port()}/", "secret": new_secret(), "allow_private": True,
                                         "timeout": 2, **settings})
        assert self.store.work.add_target(TargetRow(name, "webhook", given))

    def check(self, **options):
        return check(self.settings, **options)

    def said(self, name, **options):
        """(level, text) of what the check of this name found."""
        return [(one.level, f"{one.where}: {one.what} -> {one.mend}") for one in self.check(**options).findings[name]]


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def receiver():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def one(found, level, *words):
    """That there is one finding, of this level, with these words in it."""
    assert [told[0] for told in found] == [level], found
    for word in words:
        assert word in found[0][1]


def test_nothing_is_found_where_nothing_is_wrong_and_every_check_has_run(world, receiver):
    world.target(url=receiver)
    told = world.check()
    assert (told.errors, told.warnings) == (0, 0), told
    assert list(told.findings) == list(CHECKS)


def test_before_the_first_start_there_is_no_store_and_none_is_made(tmp_path):
    told = check(load({"LRS_DATA": str(tmp_path / "not yet"), "LRS_PORT": str(free_port())}))
    assert (told.errors, told.warnings) == (0, 0), told
    assert not (tmp_path / "not yet").exists()


def test_a_port_that_another_program_has(world):
    with socket.create_server(("127.0.0.1", world.settings.port)):
        one(world.said("address"), ERROR, str(world.settings.port), "in use", "LRS_PORT")


def test_a_port_that_this_very_lrs_has_is_no_fault(world):
    import fcntl
    with socket.create_server(("127.0.0.1", world.settings.port)), (world.data / "serve.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert world.said("address") == []


@pytest.mark.parametrize("host", ["192.0.2.77", "no-such-host.invalid"])
def test_a_host_that_is_not_of_this_machine(world, host):
    world.settings = replace(world.settings, host=host, behind_proxy=True)
    one(world.said("address"), ERROR, host, "no address of this machine")


def test_a_host_that_is_none_is_not_told_to_be_an_open_door(world):
    world.settings = replace(world.settings, host="no-such-host.invalid")
    one(world.said("address"), ERROR, "no address of this machine")


def test_a_folder_of_facts_that_cannot_be_made(world):
    file = world.data.parent / "file"
    file.write_text("")
    world.settings = replace(world.settings, facts=file)
    one(world.said("data directory"), ERROR, f"{file} is a file", "LRS_FACTS")


def test_an_open_door(world):
    world.settings = replace(world.settings, host="0.0.0.0")
    one(world.said("address"), ERROR, "in the clear", "tls_certificate")


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def certificate(world, folder, start="20200101000000Z", end="20990101000000Z", host="lrs.acme.example"):
    openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "csr.pem", "-subj", f"/CN={host}",
            "-addext", f"subjectAltName=DNS:{host}")
    (folder / "index.txt").touch()
    (folder / "ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nprivate_key=key.pem\ndefault_md=sha256\n"
                                   "rand_serial=yes\npolicy=p\ncopy_extensions=copy\n[p]\ncommonName=supplied\n")
    openssl(folder, "ca", "-batch", "-selfsign", "-config", "ca.cnf", "-keyfile", "key.pem", "-in", "csr.pem", "-out", "cert.pem",
            "-notext", "-startdate", start, "-enddate", end)
    (folder / "key.pem").chmod(0o600)
    world.settings = replace(world.settings, tls_certificate=folder / "cert.pem", tls_key=folder / "key.pem",
                             public_url="https://lrs.acme.example")


def test_a_good_certificate(world, tmp_path):
    certificate(world, tmp_path)
    assert world.said("certificate") == []


@pytest.mark.parametrize(("start", "end", "told"), [("20200101000000Z", "20210101000000Z", "has expired"),
                                                    ("20980101000000Z", "20990101000000Z", "not yet valid")])
def test_a_certificate_out_of_its_time(world, tmp_path, start, end, told):
    certificate(world, tmp_path, start, end)
    one(world.said("certificate"), ERROR, told, "renewed")


def test_a_certificate_that_ends_soon_or_is_for_another_host_or_whose_key_anybody_reads(world, tmp_path):
    certificate(world, tmp_path, end=time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 5.5 * 86_400)))
    one(world.said("certificate"), WARNING, "expires in 5 days")
    world.settings = replace(world.settings, public_url="https://other.acme.example")
    (tmp_path / "key.pem").chmod(0o644)
    words = " ".join(text for _, text in world.said("certificate"))
    assert "not for other.acme.example" in words
    assert "everybody on this machine can read" in words


def test_files_that_are_no_certificate_and_key_of_each_other(world, tmp_path):
    certificate(world, tmp_path)
    openssl(tmp_path, "genrsa", "-out", "key.pem")
    (tmp_path / "key.pem").chmod(0o600)
    one(world.said("certificate"), ERROR, "cannot be used together")
    (tmp_path / "key.pem").unlink()
    one(world.said("certificate"), ERROR, "tls_key", "not there")


def test_a_data_directory_that_is_a_file_or_cannot_be_written(world, tmp_path):
    (tmp_path / "file").write_text("")
    world.settings = replace(world.settings, data=tmp_path / "file" / "data")
    one(world.said("data directory"), ERROR, "is a file", "LRS_DATA")
    # not even root can make a file there
    world.settings = replace(world.settings, data=tmp_path.__class__("/proc/lrs"))
    one(world.said("data directory"), ERROR, "nothing can be written", "install -d")


def test_a_data_directory_that_anybody_can_look_into(world):
    world.data.chmod(0o755)
    one(world.said("data directory"), WARNING, "learners are in it", "chmod")


def test_a_data_directory_on_a_file_system_of_the_network(world, monkeypatch):
    monkeypatch.setattr(check_machine, "_file_system", lambda path: "nfs4")
    one(world.said("data directory"), ERROR, "nfs4", "disk of this machine")


def test_the_file_system_of_a_path_is_that_of_its_nearest_mount():
    assert check_machine._file_system(check_machine.Path("/proc/self")) == "proc"


@pytest.mark.parametrize(("free", "level"), [(100 * 2**20, ERROR), (2**30, WARNING)])
def test_a_disk_that_is_nearly_full(world, monkeypatch, free, level):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("Usage", "total used free")(2**40, 2**40 - free, free))
    one(world.said("disk"), level, f"{free // 2**20} MB", "make room")


def test_an_old_sqlite(world, monkeypatch):
    monkeypatch.setattr(check_machine, "version", lambda: (3, 31, 1))
    one(world.said("sqlite"), ERROR, "3.31.1", "3.35.0 or newer")


def test_a_clock_that_is_behind_what_is_stored_or_was_never_set(world):
    hour_ago = time.time_ns() // 1000 - 3_600_000_000
    one(world.said("clock", now_us=lambda: hour_ago), ERROR, "behind the newest stored statement", "NTP")
    assert [level for level, _ in world.said("clock", now_us=lambda: 0)] == [ERROR, ERROR]


def test_a_broker_that_does_not_answer_and_one_that_is_not_asked(world):
    world.settings = replace(world.settings, broker_url=f"redis://127.0.0.1:{free_port()}/0")
    one(world.said("broker"), ERROR, "does not answer", "LRS_BROKER_URL")
    assert world.said("broker", network=False) == []


def test_nobody_may_talk_to_the_lrs(world):
    world.store.credentials.revoke(world.credential.key)
    one(world.said("credentials"), WARNING, "lrs credentials create")


def test_a_connection_whose_credential_is_gone_or_that_is_paused_or_badly_set_up(world):
    good = {"secret_token": "0123456789abcdef"}
    world.store.connections.create(Connection("ok", "zoom", world.credential.key, good))
    assert world.said("connections") == []
    world.store.connections.create(Connection("lost", "zoom", "no-such-key", good))
    one(world.said("connections"), ERROR, "connection lost", "no-such-key does not exist")
    world.store.connections.change("lost", state="paused")
    world.store.connections.create(Connection("empty", "zoom", world.credential.key, {}))
    world.store.connections.create(Connection("odd", "carrier-pigeon", world.credential.key, {}))
    words = " ".join(text for _, text in world.said("connections"))
    assert "it is paused" in words
    assert "secret_token: needed by zoom" in words
    assert "no source 'carrier-pigeon'" in words
    world.store.credentials.revoke(world.credential.key)
    assert "was revoked" in " ".join(text for _, text in world.said("connections"))


def test_a_target_that_cannot_be_reached_and_one_that_is_not_asked(world):
    world.target()
    one(world.said("targets"), ERROR, "target hook", "refused", "lrs targets test hook")
    assert world.said("targets", network=False) == []


def test_a_target_that_is_paused_or_disabled_says_why(world):
    world.target()
    for state in ("paused", "disabled"):
        world.store.work.set_target_state("hook", state, "answered 401")
        one(world.said("targets"), WARNING, state, "answered 401", "lrs targets resume hook")


def test_a_target_whose_file_of_authorities_is_gone_or_whose_settings_or_connector_are_not_of_this_version(world, tmp_path):
    world.target("files", ca_file=str(tmp_path / "gone.pem"))
    world.store.work.add_target(TargetRow("fax", "fax", {}))
    world.store.work.add_target(TargetRow("bare", "webhook", {"url": "https://x.example/"}))
    words = " ".join(text for _, text in world.said("targets"))
    for told in ("gone.pem is not there", "there is no connector 'fax'", "secret: needed by webhook"):
        assert told in words


def test_secrets_that_are_weak_shared_or_still_rotating(world):
    secret = new_secret()
    world.target("a", secret=secret)
    assert world.said("secrets") == []
    world.target("b", secret=secret)
    one(world.said("secrets"), WARNING, "targets a, b", "share")
    world.target("old", secret=f"{new_secret()} {new_secret()}")
    world.target("weak", secret="whsec_" + "A" * 43 + "=")
    words = " ".join(text for _, text in world.said("secrets"))
    assert "target old: it signs with an old secret, too" in words
    assert "target weak: its signing secret is not random" in words
    assert secret not in words


def test_statements_without_anybody_in_the_directory(tmp_path):
    world = World(tmp_path)
    world.store.close()
    for file in world.data.glob("*.db*"):
        file.unlink()
    world.store = open_store(world.data)
    assert world.said("people") == []
    world.send()
    one(world.said("people"), WARNING, "directory is empty", "lrs people import")
    world.store.close()


def test_a_verb_without_a_row(world):
    world.send(verb="https://verbs.acme.example/welded")
    one(world.said("verbs"), WARNING, "https://verbs.acme.example/welded", "1 statements of sim", "lrs verbs")


def test_a_course_that_is_not_in_the_catalogue(world):
    world.send(course="https://courses.acme.example/first-aid")
    one(world.said("courses"), WARNING, "https://courses.acme.example/first-aid", "lrs courses import")


def test_only_a_few_of_many_are_named(world):
    for n in range(8):
        world.send(verb=f"https://verbs.acme.example/{n}")
    assert len(world.said("verbs")) == 6
    assert "3 more" in world.said("verbs")[-1][1]


def test_a_store_that_cannot_be_opened_is_a_finding(world):
    world.store.close()
    (world.data / "statements.db").write_bytes(b"not a database" * 1000)
    one(world.said("store"), ERROR, "cannot be opened")


def test_a_check_that_fails_itself_is_a_finding_and_no_traceback(world, monkeypatch):
    def broken(path):
        raise ValueError("a bug")

    monkeypatch.setattr(shutil, "disk_usage", broken)
    one(world.said("disk"), ERROR, "could not be checked", "a bug")


def lrs(world, *words):
    return CliRunner().invoke(command, ["--data", str(world.data), "check", *words], env={"LRS_PORT": str(world.settings.port)})


def test_the_command_ends_with_1_only_where_something_will_not_work(world):
    done = lrs(world)
    assert (done.exit_code, "0 errors, 0 warnings" in done.output) == (0, True), done.output
    world.data.chmod(0o755)
    done = lrs(world)
    assert (done.exit_code, "0 errors, 1 warning\n" in done.output) == (0, True), done.output
    world.target()
    done = lrs(world)
    assert done.exit_code == 1
    assert "mend: mend that, then: lrs targets test hook" in done.output
    assert lrs(world, "--offline").exit_code == 0


def test_the_command_as_json(world):
    world.target()
    done = lrs(world, "--json")
    told = json.loads(done.output)
    assert (told["errors"], done.exit_code, told["checks"]) == (1, 1, list(CHECKS))
    assert set(told["findings"][0]) == {"check", "level", "where", "what", "mend"}
