"""The OpenAPI document as a page that works offline: plain HTML made from the document itself."""
from __future__ import annotations

import json
import re
from collections import defaultdict
from html import escape
from typing import Any

STYLE = """:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1c1c1c;background:#fff;display:grid;grid-template-columns:21rem minmax(0,1fr)}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1rem;box-sizing:border-box;border-right:1px solid #ddd;background:#fafafa}
nav ul{list-style:none;padding:0 0 0 .5rem;margin:.2rem 0 1rem}
nav a{font-size:.85rem;overflow-wrap:anywhere}main{padding:1rem 2rem;max-width:60rem}
a{color:#0b5cad}code,pre{font:.9em/1.45 ui-monospace,monospace;background:#f1f1f1;border-radius:.25rem}code{padding:.1rem .3rem}
pre{padding:.7rem;overflow:auto}pre code{padding:0}table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}th{font-size:.85rem}
section{border-top:1px solid #ddd;padding-top:.5rem;margin-top:2rem}.method{font-weight:700;margin-right:.5rem}
h3,td+td code{overflow-wrap:anywhere}details{margin:.3rem 0}summary{cursor:pointer}
@media(max-width:50rem){body{display:block}nav{position:static;height:auto;border:0}main{padding:1rem}
th,td{padding:.3rem .25rem}}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}nav{background:#1d1d1d;border-color:#444}code,pre{background:#2a2a2a}
th,td,section{border-color:#444}a{color:#8cc4ff}}"""
DEEPEST = 4
"""Levels of a schema that are shown as an example."""


def page(spec: dict[str, Any]) -> str:
    """The page: every operation by its noun, with what it takes and what it answers."""
    nouns: dict[str, list[tuple[str, str, dict[str, Any], list[dict[str, Any]]]]] = defaultdict(list)
    for path, operations in spec["paths"].items():
        noun = path.removeprefix("/api/v1/").partition("/")[0]
        nouns[noun] += [(path, method, operation, operations.get("parameters", []))
                        for method, operation in operations.items() if method != "parameters"]
    said = {tag["name"]: tag.get("description", "") for tag in spec.get("tags", [])}
    title = escape(spec["info"]["title"])
    links = "".join(f"<strong><a href='#{noun}'>{escape(noun)}</a></strong><ul>" + "".join(
        f"<li><a href='#{_id(path, method)}'>{method.upper()} {escape(path.removeprefix('/api/v1'))}</a></li>"
        for path, method, _, _ in operations) + "</ul>" for noun, operations in nouns.items())
    parts = "".join(f"<section id='{noun}'><h2>{escape(noun)}</h2><p>{escape(said.get(noun, ''))}</p>"
                    + "".join(_operation(spec, *one) for one in operations) + "</section>" for noun, operations in nouns.items())
    return (f"<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
            f"<title>{title}</title><style>{STYLE}</style></head><body><nav aria-label='Operations'>{links}</nav>"
            f"<main><h1>{title}</h1>"
            "<p>Basic authentication with a credential of the LRS: reading needs the scope <code>all/read</code>, changing "
            "<code>all</code>, unless an operation says otherwise. Every refusal has one shape, shown at the end. "
            f"The machine-readable document is <a href='openapi.json'>openapi.json</a>.</p>{parts}"
            f"<section id='errors'><h2>Refusals</h2>{_example(spec, 'Error')}</section>"
            "</main></body></html>")


def _operation(spec: dict[str, Any], path: str, method: str, operation: dict[str, Any], shared: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{_type(p.get('schema', {}))}</td><td>{'yes' if p.get('required') else ''}</td>"
        f"<td>{_text(p.get('description', ''))}</td></tr>" for p in [*shared, *operation.get("parameters", [])])
    taken = f"<table><tr><th>Parameter</th><th>Type</th><th>Required</th><th>Meaning</th></tr>{rows}</table>" if rows else ""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        taken += f"<p>Body, <code>{escape(kind)}</code>:</p>{_schema(spec, content.get('schema', {}))}"
    answers = "".join(_answer(spec, status, answer) for status, answer in sorted(operation.get("responses", {}).items())
                      if status != "default")
    return (f"<h3 id='{_id(path, method)}'><span class='method'>{method.upper()}</span><code>{escape(path)}</code></h3>"
            f"<p>{_text(operation.get('summary', ''))}. {_text(operation.get('description', ''))}</p>{taken}"
            f"<table><tr><th>Answer</th><th>Meaning</th></tr>{answers}</table>")


def _answer(spec: dict[str, Any], status: str, answer: dict[str, Any]) -> str:
    shown = ""
    if status.startswith("2"):
        for kind, content in answer.get("content", {}).items():
            shown += (f"<details><summary>What it holds</summary>{_schema(spec, content.get('schema', {}))}</details>"
                      if kind == "application/json" else f"<br><code>{escape(kind)}</code>")
    return f"<tr><td><code>{escape(status)}</code></td><td>{_text(answer.get('description') or 'Done')}{shown}</td></tr>"


def _schema(spec: dict[str, Any], schema: dict[str, Any]) -> str:
    whole = _resolved(spec, schema)
    required = set(whole.get("required", []))
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{_type(_resolved(spec, one))}</td><td>{'yes' if name in required else ''}</td>"
        f"<td>{_text(_resolved(spec, one).get('description', ''))}</td></tr>" for name, one in whole.get("properties", {}).items())
    table = f"<table><tr><th>Member</th><th>Type</th><th>Required</th><th>Meaning</th></tr>{rows}</table>" if rows else ""
    return f"{table}<pre><code>{escape(json.dumps(_sample(spec, schema), indent=1, ensure_ascii=False))}</code></pre>"


def _example(spec: dict[str, Any], name: str) -> str:
    return _schema(spec, {"$ref": f"#/components/schemas/{name}"}) if name in spec.get("components", {}).get("schemas", {}) else ""


def _resolved(spec: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    ref = schema.get("$ref", "")
    found: dict[str, Any] = spec["components"]["schemas"][ref.rpartition("/")[2]] if ref else schema
    return found


def _sample(spec: dict[str, Any], schema: dict[str, Any], depth: int = 0) -> Any:
    """A value that fits a schema: its example where it has one."""
    whole = _resolved(spec, schema)
    if "example" in whole:
        return whole["example"]
    kind = whole.get("type", "")
    kind = next((one for one in kind if one != "null"), "") if isinstance(kind, list) else kind
    if depth >= DEEPEST:
        return "…"
    if kind == "array":
        return [_sample(spec, whole.get("items", {}), depth + 1)]
    if "properties" in whole:
        return {name: _sample(spec, one, depth + 1) for name, one in whole["properties"].items()}
    choices = [one for one in whole.get("enum", []) if one]
    return choices[0] if choices else {"integer": 0, "number": 0.5, "boolean": False, "object": {}}.get(kind, "…")


def _text(words: str) -> str:
    """Words with `code` in them, as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(words))


def _id(path: str, method: str) -> str:
    return "-".join([method, *"".join(c if c.isalnum() else " " for c in path.removeprefix("/api/v1")).split()])


def _type(schema: dict[str, Any]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "")
    kind = " or ".join(kind) if isinstance(kind, list) else kind
    choices = ", ".join(f"<code>{escape(str(one))}</code>" for one in schema.get("enum", []) if one not in (None, ""))
    return escape(str(kind)) + (f": {choices}" if choices else "")
