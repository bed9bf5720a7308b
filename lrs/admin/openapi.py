"""What every operation of the OpenAPI document has alike: an id, and every error that it can answer, in the one shape."""
from __future__ import annotations

import re
from typing import Any

from apispec import APISpec, BasePlugin
from flask_smorest import Api

from lrs.admin.api import ErrorSchema

ERRORS: dict[str, str] = {
    "400": "Something in the request is wrong; `findings` says what and where",
    "401": "No valid credential",
    "403": "The credential lacks the scope",
    "404": "There is none of this key, name or number",
    "409": "It is there already, or its state does not allow this",
    "413": "The body is larger than the limit",
    "415": "The body is not of the type that this operation reads",
    "503": "The store is unavailable; nothing was done, send it again after Retry-After",
}
ALWAYS = ("400", "401", "403", "503")
SCHEMA = {"$ref": "#/components/schemas/Error"}


class ManagementApi(Api):
    """flask-smorest's Api with the product's own error shape."""

    ERROR_SCHEMA = ErrorSchema


class Alike(BasePlugin):
    """Completes operations as they are added to the document."""

    def operation_helper(self, path: str | None = None, operations: dict[str, Any] | None = None, **more: Any) -> None:
        """Add the operation's id, and its errors: always those of `ALWAYS`, 404 where the path names a thing, 413 and 415
        where it reads a body; others (409) where the operation declares them."""
        for method, operation in (operations or {}).items():
            if method == "parameters" or not isinstance(operation, dict):
                continue
            words = [word for word in re.split(r"[^A-Za-z0-9]+", (path or "").removeprefix("/api/v1")) if word]
            operation.setdefault("operationId", "_".join([method, *words]))
            answers = {str(status): answer for status, answer in operation.get("responses", {}).items() if str(status) != "422"}
            wanted = {*ALWAYS, *(("404",) if "{" in (path or "") else ()), *(("413", "415") if "requestBody" in operation else ())}
            for status in wanted:
                answers.setdefault(status, {"description": ERRORS[status]})
            for status, answer in answers.items():
                if status.isdigit() and int(status) >= 400 and isinstance(answer, dict):
                    answer.setdefault("description", ERRORS.get(status, ""))
                    answer.setdefault("content", {"application/json": {"schema": SCHEMA}})
            operation["responses"] = dict(sorted(answers.items()))


def install_security(spec: APISpec) -> None:
    """Say in the document that every operation asks for a Basic credential."""
    spec.components.security_scheme("credential", {"type": "http", "scheme": "basic", "description": "Key and secret of a credential"})
