"""The OpenAPI document as a page that works offline: plain HTML made from the document itself."""
from __future__ import annotations

from html import escape
from typing import Any

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
code{background:#f2f2f2;padding:.1rem .3rem;border-radius:.2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}h2{margin-top:2.5rem}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}code{background:#2a2a2a}th,td{border-color:#444}a{color:#8cf}}"""


def page(spec: dict[str, Any]) -> str:
    """The page: every operation with its parameters and answers."""
    parts = [f"<h1>{escape(spec['info']['title'])}</h1><p>Basic authentication with a credential of the LRS. "
             "The machine-readable document is <a href='openapi.json'>openapi.json</a>.</p>"]
    for path, operations in spec["paths"].items():
        shared = operations.get("parameters", [])
        for method, operation in operations.items():
            if method != "parameters":
                parts.append(_operation(path, method, operation, shared))
    return (f"<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
            f"<title>{escape(spec['info']['title'])}</title><style>{STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>")


def _operation(path: str, method: str, operation: dict[str, Any], shared: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{_schema(p.get('schema', {}))}</td><td>{'yes' if p.get('required') else ''}</td>"
        f"<td>{escape(p.get('description', ''))}</td></tr>" for p in [*shared, *operation.get("parameters", [])])
    answers = "".join(f"<tr><td><code>{escape(status)}</code></td><td>{escape(answer.get('description', ''))}</td></tr>"
                      for status, answer in sorted(operation.get("responses", {}).items()) if answer.get("description"))
    table = f"<table><tr><th>Parameter</th><th>Type</th><th>Required</th><th>Meaning</th></tr>{rows}</table>" if rows else ""
    return (f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation.get('summary', ''))}</p>"
            f"<p>{escape(operation.get('description', ''))}</p>{table}<table><tr><th>Answer</th><th>Meaning</th></tr>{answers}</table>")


def _schema(schema: dict[str, Any]) -> str:
    kind = schema.get("type", "")
    kind = " or ".join(kind) if isinstance(kind, list) else kind
    choices = ", ".join(f"<code>{escape(str(one))}</code>" for one in schema.get("enum", []) if one is not None)
    return escape(str(kind)) + (f": {choices}" if choices else "")
