"""The snippets of docs/analytics.md run against a table that the worker built."""
from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from analytics.build import Builder
from lrs.completions.model import Course, Person
from lrs.config import Settings
from lrs.ingest.batch import accept
from lrs.ingest.prepare import Provider
from lrs.services import Services
from lrs.store.open_store import open_store

SNIPPETS = re.findall(r"## (DuckDB|pandas)\n.*?```python\n(.*?)```", Path("docs/analytics.md").read_text(), re.DOTALL)


@pytest.mark.parametrize(("tool", "text"), SNIPPETS)
def test_a_snippet_finds_the_course_under_its_alias(tool: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = Services(Settings(data=tmp_path / "data"), open_store(tmp_path / "data"))
    services.store.directory.put_courses([Course("https://c.example/1", aliases=("https://c.example/old",))])
    sent = [{"actor": {"mbox": f"mailto:p{n}@x.example"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
             "object": {"id": f"https://c.example/{'old' if n else '1'}"}} for n in range(3)]
    services.store.directory.put_people([Person("7", identifiers=("mbox:p1@x.example",))])
    authority = {"account": {"homePage": "https://x.example", "name": "k"}}
    accept(services, json.dumps(sent).encode(), Provider("k", frozenset({"all"}), "sim", authority))
    Builder(services).finish()
    monkeypatch.chdir(tmp_path)
    told: dict[str, object] = {}
    exec(compile(text, f"docs/analytics.md, {tool}", "exec"), told)
    found = told["rows"] if tool == "DuckDB" else told["frame"].to_dict()  # type: ignore[attr-defined]
    assert found == ([("https://c.example/1", 3)] if tool == "DuckDB" else {"https://c.example/1": 3})


def test_both_tools_have_a_snippet() -> None:
    assert [tool for tool, _ in SNIPPETS] == ["DuckDB", "pandas"]
