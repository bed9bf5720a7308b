"""The adapter in front of the application: bodies are read, limited and drained on the event loop, threads only work."""
from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import logging
import math
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from lrs.errors import StoreUnavailable
from lrs.http import ARRIVED
from lrs.metrics import Metrics
from lrs.serve.gateway import Answer, Wsgi, call, environ, refusal
from lrs.serve.refusals import COUNTED, Refusals

_log = logging.getLogger("lrs.serve")

#: Requests that may wait for a thread before more are told to come back; about two seconds of work.
QUEUE = 1_000
#: Bytes of a body that wait in memory; what is larger waits in a file.
IN_MEMORY = 2**20
#: How long a client of a streamed answer may take for one piece before it is given up, seconds.
PIECE_SECONDS = 30
#: The pace of a streamed answer, a gigabit a second: the server takes into memory whatever it is handed, read or not, so that
#: who hands it over faster than clients usually read fills memory.
SECONDS_A_BYTE = 1 / 125e6
#: At a stop, how long a body that is still arriving is waited for, seconds.
HALF_SENT_SECONDS = 2


class Body:
    """A request's body: in memory up to a megabyte, beyond that in a file without a name. `size` counts what came."""

    def __init__(self, folder: Path | None = None) -> None:
        self.size = 0
        self._folder = folder
        self._chunks: list[bytes] = []
        self._held = 0
        self._file: IO[bytes] | None = None

    def write(self, chunk: bytes) -> None:
        """Add to it. Raises OSError where the disk takes no more."""
        self.size += len(chunk)
        if self._file is None and self._held + len(chunk) <= IN_MEMORY:
            self._chunks.append(chunk)
            self._held += len(chunk)
            return
        if self._file is None:
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - it lives as long as the request
            self._file.writelines(self._chunks)
            self._chunks.clear()
        self._file.write(chunk)

    def opened(self) -> IO[bytes]:
        """The whole of it, from its beginning."""
        if self._file is None:
            return io.BytesIO(b"".join(self._chunks))
        self._file.seek(0)
        return self._file

    def finish(self) -> None:
        """All of it was written. Raises OSError where the disk does not take what was still on its way there."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Let go of it."""
        self._chunks.clear()
        if self._file is not None:
            # closing writes what was still on its way, and a full disk refuses that too
            with contextlib.suppress(OSError):
                self._file.close()


class Adapter:
    """An RSGI application that runs a WSGI application in a pool of threads.

    A request gets a thread only when its body is whole, so slow senders hold none. A body beyond `body_max` bytes (with
    attachments, multipart/mixed, beyond `multipart_max`) is read to its end and thrown away, so that its sender reads the
    413 and not a broken pipe. Who sends longer than `body_seconds`, and a second for each megabyte, is answered 408.
    What is larger than a megabyte waits in a file of `folder`, not in memory. Who is refused more than `refused_max` times a
    second for `refusals.SECONDS` is answered 429 without a thread for a while (0: never): by its `Authorization`, and where it
    sends none by its address, if that is its own (not `proxied`).
    """

    def __init__(self, app: Wsgi, *, threads: int = 16, body_max: int = 16 * 2**20, body_seconds: float = 20,
                 multipart_max: int = 0, folder: Path | None = None, metrics: Metrics | None = None,
                 refused_max: int = 0, proxied: bool = False) -> None:
        self._metrics = metrics or Metrics()
        self._app, self._body_max, self._body_seconds = app, body_max, body_seconds
        self._multipart_max, self._folder = max(multipart_max, body_max), folder
        self._threads, self._started = threads, 0
        self._handed: SimpleQueue[Callable[[], None]] = SimpleQueue()
        # A client that reads a streamed answer slowly does hold a thread: never more than half of them.
        self._streams = threading.BoundedSemaphore(max(1, threads // 2))
        self._refusals, self._refused_max, self._proxied = Refusals(refused_max), refused_max, proxied
        self._reading = 0
        self._working = 0
        self._stopping = False

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request (RSGI 1.5)."""
        if scope.proto != "http":
            protocol.close(403)
            return
        if self._stopping:
            return self._refuse(scope, protocol, refusal(503, "stopping", "the LRS is stopping", Retry_After="2", Connection="close"))
        body = await self._read(scope, protocol)
        if isinstance(body, Answer):
            return self._refuse(scope, protocol, body)
        now = time.monotonic()
        if self._refusals.anybody(now) and (rest := self._refusals.rest(self._client(scope), now)):
            body.close()
            why = f"more than refused_max = {self._refused_max} requests a second were refused: correct them, and wait"
            return self._refuse(scope, protocol, refusal(429, "refused_too_often", why, Retry_After=str(math.ceil(rest))))
        if self._working >= QUEUE:
            body.close()
            return self._refuse(scope, protocol, refusal(503, "busy", "too many requests are waiting", Retry_After="1"))
        self._working += 1
        try:
            await self._answer(scope, protocol, body)
        finally:
            self._working -= 1

    def _refuse(self, scope: Any, protocol: Any, answer: Answer) -> None:
        self._metrics.request("refused before a route", scope.method, answer.status, 0.0)
        self._metrics.rejected((answer.code,))
        _send(protocol, answer)

    async def stop(self, seconds: float) -> bool:
        """Take no more requests; return when those in flight are answered (True) or `seconds` are over (False)."""
        self._stopping = True
        loop = asyncio.get_running_loop()
        start = loop.time()
        while self._working or (self._reading and loop.time() < start + min(seconds, HALF_SENT_SECONDS)):
            if loop.time() > start + seconds:
                return False
            await asyncio.sleep(0.01)
        # What was handed to the server is not yet on the wire.
        await asyncio.sleep(0.05)
        return True

    async def _read(self, scope: Any, protocol: Any) -> Body | Answer:
        """The body, whole, or the refusal. A whole one ends in one empty piece; where the connection or the framing breaks, the server
        raises nothing but gives another one before it, and half a document must not be stored over a whole one."""
        self._reading += 1
        multipart = scope.headers.get("content-type", "").lower().startswith("multipart/mixed")
        limit = self._multipart_max if multipart else self._body_max
        length = _length(scope.headers)
        body = Body(self._folder)
        kept = False
        loop = asyncio.get_running_loop()
        start = loop.time()
        empty = 0
        try:
            async with asyncio.timeout(self._body_seconds) as patience:
                if length is not None and length <= min(IN_MEMORY, limit):
                    # every piece that is waited for wakes the loop and the server once more
                    body.write(await protocol())
                else:
                    async for chunk in protocol:
                        empty += not chunk
                        if body.size + len(chunk) <= limit:
                            body.write(chunk)
                            patience.reschedule(start + self._body_seconds + body.size / 2**20)
                        else:
                            body.size += len(chunk)
                            body.close()
            if body.size > limit:
                return self._too_large(limit)
            if empty > 1 or length not in (None, body.size):
                why = f"the body broke off after {body.size} bytes, or has trailers, which are not read; send it again"
                return refusal(400, "bad_request", why, Connection="close")
            body.finish()
            kept = True
            return body
        except TimeoutError:
            if body.size > limit:
                return self._too_large(limit)
            why = f"the body was not there after body_seconds = {self._body_seconds:g} seconds ({body.size} bytes were)"
            return refusal(408, "body_too_slow", why, Connection="close")
        except OSError as fault:
            _log.warning("a body could not be kept: %s", fault)
            return refusal(503, "store_unavailable", StoreUnavailable.advice, Retry_After="2", Connection="close")
        except Exception as fault:
            # The client went away, or its framing is broken: there is no one to tell, or nothing better to say.
            _log.debug("a body could not be read: %s", fault)
            return refusal(400, "bad_request", "the body broke off, or its framing is broken; send it again", Connection="close")
        finally:
            self._reading -= 1
            if not kept:
                body.close()

    def _too_large(self, limit: int) -> Answer:
        name = "body_max" if limit == self._body_max else "attachment_max"
        return refusal(413, "too_large", f"the body is larger than the limit {name} of {limit} bytes")

    async def _answer(self, scope: Any, protocol: Any, body: Body) -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        arrived = time.perf_counter()

        status = 0

        def settle() -> None:
            if status in COUNTED:
                self._refusals.refused(self._client(scope), time.monotonic())
            if not done.done():
                done.set_result(None)

        def work() -> None:
            nonlocal status
            try:
                answer = self._call(scope, body, arrived)
                status = answer.status
                if answer.rest is None:
                    _send(protocol, answer)
                else:
                    self._stream(loop, protocol, answer, answer.rest)
            except Exception:
                _log.exception("an answer to %s %s could not be sent", scope.method, _shown(scope.path))
            finally:
                body.close()
                loop.call_soon_threadsafe(settle)

        if self._started < min(self._working, self._threads):
            threading.Thread(target=self._work, daemon=True, name=f"request_{self._started}").start()
            self._started += 1
        self._handed.put(work)
        await done

    def _work(self) -> None:
        # an executor would make a future with locks of its own for each request, and nobody waits for those
        while True:
            self._handed.get()()

    def _client(self, scope: Any) -> str:
        if authorization := scope.headers.get("authorization"):  # a secret: only its hash is kept
            return hashlib.blake2b(authorization.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
        return "" if self._proxied else str(scope.client).rpartition(":")[0]

    def _call(self, scope: Any, body: Body, arrived: float) -> Answer:
        try:
            return call(self._app, {**environ(scope, body.opened(), body.size), ARRIVED: arrived})
        except Exception:
            answer = refusal(500, "internal", "a fault of the LRS; the log holds it under this request id")
            _log.exception("request %s: %s %s failed", dict(answer.headers)["X-Request-ID"], scope.method, _shown(scope.path))
            return answer

    def _stream(self, loop: asyncio.AbstractEventLoop, protocol: Any, answer: Answer, rest: Iterator[bytes]) -> None:
        """Send a long answer piece by piece, in this thread: what the application iterates may belong to it."""
        if not self._streams.acquire(blocking=False):
            rest.close()  # type: ignore[attr-defined]
            return _send(protocol, refusal(503, "busy", "too many long answers are under way", Retry_After="5"))
        try:
            transport = protocol.response_stream(answer.status, answer.headers)
            piece = answer.body
            while piece is not None:
                asyncio.run_coroutine_threadsafe(_piece(transport, piece), loop).result(PIECE_SECONDS)
                time.sleep(len(piece) * SECONDS_A_BYTE)
                piece = next(rest, None)
        finally:
            self._streams.release()
            rest.close()  # type: ignore[attr-defined]


def _length(headers: Any) -> int | None:
    """How many bytes the body has by its framing (RFC 9112 §6.3), None where only its end tells."""
    if "transfer-encoding" in headers:
        return None
    told = headers.get("content-length", "0")
    return int(told) if told.isdecimal() else None


def _shown(path: str) -> str:
    """The path as the log may have it: without what may be a token at its end."""
    return "/".join(path.split("/")[:3])


async def _piece(transport: Any, piece: bytes) -> None:
    await transport.send_bytes(piece)


def _send(protocol: Any, answer: Answer) -> None:
    protocol.response_bytes(answer.status, answer.headers, answer.body)
