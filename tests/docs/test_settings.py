"""Pages that a command prints are byte for byte what it prints."""
from pathlib import Path

from click.testing import CliRunner

from lrs.cli.main import command

DOCS = Path(__file__).parents[2] / "docs"


def test_the_metrics_page_is_what_the_command_prints():
    assert CliRunner().invoke(command, ["metrics"]).output.encode() == (DOCS / "metrics.md").read_bytes()


def test_the_settings_page_is_what_the_command_prints():
    assert CliRunner().invoke(command, ["settings", "--markdown"]).output.encode() == (DOCS / "settings.md").read_bytes()
