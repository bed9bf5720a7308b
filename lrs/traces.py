"""Traces, where an OTLP endpoint is set: the way of a statement from the request to each attempt, one trace a statement.

No process tells another about a trace: its id is the statement's UUID, and the id of a step's span is a hash of that and of the
step's name, so that whoever takes the next step knows its parent.
"""
from __future__ import annotations

import hashlib
import logging
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

REQUEST, ROUTE, ATTEMPT = "request", "route", "attempt"
STATEMENTS_MOST = 100
"""Statements of one request that are traced: of a bulk load nobody follows each."""
_log = logging.getLogger("lrs.traces")


class Traces:
    """Sends spans from a thread of its own; to record one never waits for the endpoint, and never raises."""

    def __init__(self, endpoint: str) -> None:
        """`endpoint`: an OTLP/HTTP address, with its path. Raises ImportError without the extra `otel`."""
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

        class Known(RandomIdGenerator):
            """The ids that `span` has said for this thread, else random ones."""

            said = threading.local()

            def generate_span_id(self) -> int:
                return getattr(self.said, "span", 0) or super().generate_span_id()

            def generate_trace_id(self) -> int:
                return getattr(self.said, "trace", 0) or super().generate_trace_id()

        self._trace, self._said = trace, Known.said
        self._provider = TracerProvider(resource=Resource.create({"service.name": "concord-lrs"}), id_generator=Known(),
                                        shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=5), schedule_delay_millis=1000))
        self._tracer = self._provider.get_tracer("lrs")

    def span(self, statement: str, step: str, seconds: float, attributes: Mapping[str, Any], *, parent: str = "") -> None:
        """A step on the way of this statement (its id) that has just ended and took so long; `parent`: the step that led to it."""
        try:
            end = time.time_ns()
            trace_id = uuid.UUID(statement).int
            self._said.trace, self._said.span = trace_id, 0 if step == ATTEMPT else _span_id(statement, step)
            context = self._trace.set_span_in_context(self._trace.INVALID_SPAN)
            if parent:
                known = self._trace.SpanContext(trace_id, _span_id(statement, parent), True, self._trace.TraceFlags(1))
                context = self._trace.set_span_in_context(self._trace.NonRecordingSpan(known))
            kept = {name: value for name, value in attributes.items() if value is not None}
            self._tracer.start_span(step, context, attributes=kept, start_time=end - round(seconds * 1e9)).end(end)
        except Exception:
            _log.exception("a span could not be recorded")

    def close(self) -> None:
        """Send what is left; costs some seconds at most."""
        self._provider.shutdown()


def _span_id(statement: str, step: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{step} {statement}".encode(), digest_size=8).digest()) or 1


def opened(endpoint: str) -> Traces | None:
    """Traces to this address; None without one, or (said in the log) without the packages for it."""
    if not endpoint:
        return None
    try:
        return Traces(endpoint)
    except ImportError as fault:
        _log.error("otel_endpoint is set, but no trace is sent: %s; install concord-lrs[otel]", fault)
        return None
