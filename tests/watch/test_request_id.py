"""The id of a request goes with its statements to the attempts that they cause, and is on every line of the log between."""
from __future__ import annotations

import json
import logging
from pathlib import Path

from watched import SECRET, Receiver, Watched, completed, until

from lrs import log


def test_an_attempt_names_the_request_that_caused_it(tmp_path: Path) -> None:
    receiver = Receiver(503, 200)
    watched = Watched(tmp_path, {"hr": {"url": receiver.url, "secret": SECRET, "allow_private": True}}, LRS_LOG_REQUESTS="true")
    try:
        stored = watched.client.post("/xapi/statements", json=[completed("a")], headers={"X-Request-ID": "order-4711"})
        assert stored.headers["X-Request-ID"] == "order-4711"
        until(lambda: any(line.get("outcome") == "waiting" for line in watched.lines()), 20, "an attempt is logged")
        (request,) = [line for line in watched.lines() if line.get("route") == "/xapi/statements"]
        attempt = next(line for line in watched.lines() if line.get("outcome") == "waiting")
        assert (request["request_id"], request["status"]) == ("order-4711", 200)
        assert (attempt["request_id"], attempt["requests"], attempt["statements"]) == ("order-4711", ["order-4711"], stored.json())
        assert (attempt["target"], attempt["status"]) == ("hr", 503)
    finally:
        watched.stop()
        receiver.server.shutdown()


def test_an_id_that_could_forge_a_line_is_replaced(tmp_path: Path) -> None:
    watched = Watched(tmp_path, {})
    try:
        given = "x" * 65
        answer = watched.client.get("/xapi/about", headers={"X-Request-ID": given})
        assert answer.headers["X-Request-ID"] != given
        refused = watched.client.post("/xapi/statements", json=[{}], headers={"X-Request-ID": "bad thing"})
        assert refused.json()["request_id"] == refused.headers["X-Request-ID"] != "bad thing"
    finally:
        watched.stop()


def test_lines_of_a_request_bear_its_id_and_others_none(capsys) -> None:
    before = logging.getLogger().handlers[:]
    try:
        log.set_up(as_json=True)
        log.request_id.set("r-1")
        logging.getLogger("t").warning("inside")
        log.request_id.set("")
        logging.getLogger("t").warning("outside")
        inside, outside = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        assert inside["request_id"] == "r-1"
        assert "request_id" not in outside
        log.set_up()
        log.request_id.set("r-1")
        logging.getLogger("t").warning("inside")
        assert capsys.readouterr().err.endswith("t: inside [r-1]\n")
    finally:
        log.request_id.set("")
        logging.getLogger().handlers[:] = before
