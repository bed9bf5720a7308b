"""One trace follows a statement over two processes, from the request to each attempt; none is made unless asked for."""
from __future__ import annotations

import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from watched import SECRET, Receiver, Watched, completed, until

from lrs import traces


class Collector:
    """Takes OTLP over HTTP and keeps the spans."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        outer.spans.extend(scope.spans)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_a_statement_is_followed_from_its_request_to_each_attempt(tmp_path: Path) -> None:
    collector, receiver = Collector(), Receiver(200)
    target = {"url": receiver.url, "secret": SECRET, "allow_private": True}
    watched = Watched(tmp_path, {"hr": dict(target), "crm": dict(target)}, LRS_OTEL_ENDPOINT=collector.url)
    try:
        (stored,) = watched.client.post("/xapi/statements", json=completed(), headers={"X-Request-ID": "order-4711"}).json()
        until(lambda: len(collector.spans) >= 4, 30, "the spans have come")
    finally:
        watched.stop()
        collector.server.shutdown()
        receiver.server.shutdown()
    assert {span.trace_id for span in collector.spans} == {uuid.UUID(stored).bytes}
    named: dict[str, list[Any]] = {}
    for span in collector.spans:
        named.setdefault(span.name, []).append(span)
    (request,), (route,), attempts = named["request"], named["route"], named["attempt"]
    assert request.parent_span_id == b""
    assert route.parent_span_id == request.span_id
    assert {span.parent_span_id for span in attempts} == {route.span_id}
    said = [{one.key: one.value.string_value for one in span.attributes} for span in (request, *attempts)]
    assert said[0]["request_id"] == "order-4711"
    assert {(one["target"], one["outcome"]) for one in said[1:]} == {("hr", "delivered"), ("crm", "delivered")}


def test_without_an_endpoint_there_are_no_traces() -> None:
    assert traces.opened("") is None


def test_an_endpoint_that_is_away_costs_nobody_anything() -> None:
    one = traces.Traces("http://127.0.0.1:9/v1/traces")
    one.span(str(uuid.uuid4()), traces.REQUEST, 0.1, {"a": 1})
    one.span("no uuid", traces.ROUTE, 0.1, {})
    one.close()
