"""The alternate request syntax (xAPI 1.0.3 Communication 1.3): any request as a POST of a form, for old browsers."""
from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode

Wsgi = Callable[..., Iterable[bytes]]

REFUSED = "lrs.alternate_refused"
"""Under this name the environ says why a request of this kind cannot be read; the application answers it."""
HEADERS = {
    "authorization": "HTTP_AUTHORIZATION", "x-experience-api-version": "HTTP_X_EXPERIENCE_API_VERSION", "content-type": "CONTENT_TYPE",
    "content-length": "", "if-match": "HTTP_IF_MATCH", "if-none-match": "HTTP_IF_NONE_MATCH",
}  # fmt: skip
METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD")
FORM = "application/x-www-form-urlencoded"


def _is_2(environ: dict[str, Any]) -> bool:
    """Whether the request speaks xAPI 2.0, which has no alternate syntax: it is then refused as what it looks like."""
    return str(environ.get("HTTP_X_EXPERIENCE_API_VERSION", "")).strip().startswith("2")


class Alternate:
    """Turns `POST …?method=<M>` with a form into the request that it stands for, before it is routed."""

    def __init__(self, app: Wsgi, body_max: int) -> None:
        self._app, self._body_max = app, body_max

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI entry (PEP 3333)."""
        if environ["REQUEST_METHOD"] == "POST" and environ.get("PATH_INFO", "").startswith("/xapi/") and "method=" in environ.get(
                "QUERY_STRING", ""):
            asked = parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)
            method = dict(asked).get("method")
            # a form names its version inside
            if method is not None and not _is_2(unfolded := self._unfolded(environ, asked, method)):
                environ = unfolded
        return self._app(environ, start_response)

    def _unfolded(self, environ: dict[str, Any], asked: list[tuple[str, str]], method: str) -> dict[str, Any]:
        def refused(why: str) -> dict[str, Any]:
            return {**environ, REFUSED: why}

        if method not in METHODS:
            return refused(f"method={method[:20]} is none of {', '.join(METHODS)}")
        if len(asked) > 1:
            return refused("with method= in the URL every other parameter belongs into the form")
        if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != FORM:
            return refused(f"with method= in the URL the body must be a form ({FORM})")
        body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), self._body_max + 1))
        if len(body) > self._body_max:
            return refused(f"the form is larger than the limit body_max of {self._body_max} bytes")
        try:
            form = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict") if body else []
        except (ValueError, UnicodeDecodeError):
            return refused("the body is not a URL-encoded form")
        content = [value for name, value in form if name == "content"]
        if method in ("PUT", "POST") and len(content) != 1:
            return refused(f"{method} needs exactly one form field content")
        made = {**environ, "REQUEST_METHOD": method, "CONTENT_TYPE": "application/json" if content else ""}
        rest = []
        for name, value in form:
            if name.lower() in HEADERS:
                if header := HEADERS[name.lower()]:
                    made[header] = value
            elif name != "content":
                rest.append((name, value))
        text = content[0].encode() if content else b""
        return {**made, "QUERY_STRING": urlencode(rest), "CONTENT_LENGTH": str(len(text)), "wsgi.input": io.BytesIO(text)}
