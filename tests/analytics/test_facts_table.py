"""The table of facts says what the log says, whoever builds it, whatever changed meanwhile."""
from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pandas
import pytest
from click.testing import CliRunner
from facts_history import Story

from analytics import build, table
from analytics.build import Builder, neighbours, rebuild
from analytics.exports import kept
from analytics.exports.rows import FORMATS, Wanted
from analytics.exports.run import export
from lrs.cli.main import command
from lrs.errors import StoreUnavailable
from lrs.services import Services

ALL = Wanted()


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path / "data")


def folder(services: Services) -> Path:
    return services.settings.facts_folder


def read(file: Path, kind: str) -> list[dict[str, Any]]:
    if kind == "parquet":
        rows = duckdb.connect().execute(f"SELECT * FROM read_parquet('{file}', file_row_number = true) ORDER BY file_row_number")
        names = [one[0] for one in rows.description]
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    frame = pandas.read_csv(file, dtype=str, keep_default_na=False) if kind == "csv" else pandas.read_json(file, lines=True, dtype=False)
    return [{name: None if value != value else value for name, value in row.items()} for row in frame.to_dict("records")]


def same(services: Services, out: Path, wanted: Wanted = ALL, kinds: tuple[str, ...] = ("parquet",)) -> int:
    """Compare both exports row by row; how many rows there are."""
    assert kept.known(services.store, folder(services)), "this export comes from the table"
    for kind in kinds:
        log, kept_ = (export(services.store, wanted, kind, out / f"{n}", table=of, force=True)
                      for n, of in enumerate((None, folder(services))))
        assert read(kept_.file, kind) == read(log.file, kind)
        assert (kept_.rows, kept_.through) == (log.rows, log.through)
    return log.rows


@pytest.mark.parametrize("seed", range(4))
def test_the_export_from_the_table_is_the_export_from_the_log_after_any_history(story: Story, tmp_path: Path, seed: int,
                                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(seed)
    monkeypatch.setattr(build, "FILE_ROWS", 60)
    monkeypatch.setattr(build, "SMALL_FILES", 3)
    builder = Builder(story.services)
    story.send(20)
    builder.finish()
    for step in range(12):
        getattr(story, draw.choice(("people", "hashes", "aliases", "courses", "verbs", "voids", "voids")))()
        story.send(draw.randrange(1, 30))
        if draw.random() < 0.5:
            builder.finish()
        same(story.services, tmp_path / f"{step}")
    since, until = (one.seq for one in draw.sample(story.services.store.statements.follow(0, 1000), 2))
    for wanted in (Wanted(since=min(since, until), until=max(since, until)), Wanted(verb="completed"), Wanted(course=story.course),
                   Wanted(until=min(since, until), course=story.alias)):
        same(story.services, tmp_path / "filtered", wanted, tuple(FORMATS))
    assert same(story.services, tmp_path / "last", kinds=tuple(FORMATS)) > 20


def test_a_rebuild_from_the_store_gives_the_same_table(story: Story) -> None:
    builder = Builder(story.services)
    for _ in range(3):
        story.send(30)
        story.voids()
        story.verbs()
        builder.finish()
    before = contents(story.services)
    assert rebuild(story.services) == len(before)
    assert contents(story.services) == before


def contents(services: Services) -> list[tuple[Any, ...]]:
    found = table.opened(folder(services), services.store.statements.term_key)
    assert found
    paths = [one.path for one in table.files(found)]
    return duckdb.connect().execute(f"SELECT * EXCLUDE (timestamp), epoch_us(timestamp) FROM read_parquet({paths})").fetchall()


def test_the_table_names_nobody(story: Story) -> None:
    story.send(50)
    story.people()
    Builder(story.services).finish()
    text = str(contents(story.services))
    assert "@acme" not in text
    assert "Secret" not in text


def test_of_two_builders_the_slower_one_is_refused_and_no_row_is_there_twice(story: Story, tmp_path: Path) -> None:
    one, two = Builder(story.services), Builder(story.services)
    for _ in range(4):
        story.send(10)
        story.voids()
        for builder in (one, two):
            builder()
        for builder in (one, two):
            builder.finish()
    assert len(contents(story.services)) == len(story.services.store.statements.follow(0, 1000))
    same(story.services, tmp_path / "out")


def test_files_stay_few_and_in_the_order_of_the_log(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "SMALL_FILES", 4)
    builder = Builder(story.services)
    for _ in range(9):
        story.send(3)
        builder.finish()
    seqs = [row[1] for row in contents(story.services)]
    assert seqs == sorted(seqs)
    found = table.opened(folder(story.services), story.services.store.statements.term_key)
    assert found
    assert len(table.files(found)) < 6
    assert not list(neighbours(table.files(found)[:1]))


def test_what_was_sent_to_nobody_writes_nothing(story: Story) -> None:
    story.send(5)
    builder = Builder(story.services)
    builder.finish()
    found = table.opened(folder(story.services), story.services.store.statements.term_key)
    builder.finish()
    again = table.opened(folder(story.services), story.services.store.statements.term_key)
    assert found
    assert again
    assert found.version() == again.version()


def test_without_a_table_or_with_that_of_another_store_the_log_is_read(story: Story, tmp_path: Path) -> None:
    story.send(5)
    assert kept.known(story.services.store, folder(story.services)) is None
    other = Story(tmp_path / "other")
    other.send(5)
    Builder(other.services).finish()
    assert kept.known(story.services.store, folder(other.services)) is None
    assert export(story.services.store, Wanted(), "csv", tmp_path / "out", table=folder(other.services)).rows == 5


def test_a_folder_that_cannot_be_made_is_no_table_to_be_read_again_at_once(story: Story, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    services = replace(story.services, settings=replace(story.services.settings, facts=tmp_path / "file"))
    with pytest.raises(StoreUnavailable, match="file"):
        Builder(services)()


def test_the_builder_never_appends_by_path() -> None:
    text = Path(build.__file__).read_text()
    calls = text.split("write_deltalake(")[1:]
    assert calls
    assert {call.partition(",")[0] for call in calls} <= {"self._table", "at", "table"}


BLOCKED = """
import sys
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("pyarrow", "pandas", "numpy"):
            raise ImportError(name)
sys.meta_path.insert(0, Gone())
from pathlib import Path
from analytics.build import Builder
from analytics.exports.rows import Wanted
from analytics.exports.run import export
from lrs.config import Settings
from lrs.services import Services
from lrs.store.open_store import open_store
data = Path(sys.argv[1])
services = Services(Settings(data=data), open_store(data))
Builder(services).finish()
print(export(services.store, Wanted(), "parquet", data / "out", table=data / "facts").rows)
"""


def test_pyarrow_and_pandas_are_not_needed(story: Story) -> None:
    story.send(5)
    done = subprocess.run([sys.executable, "-c", BLOCKED, str(story.services.settings.data)], capture_output=True, text=True, check=False)
    assert done.stdout == "5\n", done.stderr


def test_the_commands_tell_and_rebuild(story: Story) -> None:
    story.send(5)
    run, data = CliRunner().invoke, ["--data", str(story.services.settings.data)]
    assert run(command, [*data, "facts", "status"]).exit_code == 1
    assert "no table" in run(command, [*data, "status"]).output
    assert "5 rows" in run(command, [*data, "facts", "rebuild"]).output
    story.send(3)
    assert json.loads(run(command, [*data, "facts", "status", "--json"]).output)["behind"] == 3
    assert "3 rows behind" in run(command, [*data, "status"]).output
