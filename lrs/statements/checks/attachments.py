"""Checks the headers of attachments (xAPI 1.0.3 Data 2.4.11)."""
from __future__ import annotations

from typing import Any

from lrs.statements.checks import shapes
from lrs.statements.checks.report import Report, Where

REQUIRED = ("usageType", "display", "contentType", "length", "sha2")
SIGNATURE = "http://adlnet.gov/expapi/attachments/signature"


def attachments(value: Any, where: Where, report: Report) -> None:
    """The attachments of a statement: each needs a fileUrl, or its data beside the statement (Communication 1.5.2)."""
    shapes.array(value, where, report, _attachment)


def _attachment(value: Any, where: Where, report: Report) -> None:
    if not shapes.properties(value, where, report, _ATTACHMENT):
        return
    for key in REQUIRED:
        if key not in value:
            report.add("attachment.required", where, value, missing=key)
    if "fileUrl" not in value and str(value.get("sha2", "")).lower() not in report.data:
        report.add("attachment.data", where, value)
    if value.get("usageType") == SIGNATURE and value.get("contentType") not in (None, "application/octet-stream"):
        report.add("attachment.signature", (where, "contentType"), value["contentType"])


def _length(value: Any, where: Where, report: Report) -> None:
    if type(value) is not int and type(value) is not float:
        shapes.wrong_type(value, where, report, "a number")
    elif value < 0 or (type(value) is float and not value.is_integer()):
        report.add("attachment.length", where, value)


_ATTACHMENT: shapes.Table = {
    "usageType": shapes.iri,
    "display": shapes.language_map,
    "description": shapes.language_map,
    "contentType": shapes.media_type,
    "length": _length,
    "sha2": shapes.sha2,
    "fileUrl": shapes.iri,
}
