"""Pages that a command prints are byte for byte what it prints."""
from pathlib import Path

from click.testing import CliRunner

from lrs.cli.main import command

DOCS = Path(__file__).parents[2] / "docs"


def test_the_settings_page_is_what_the_command_prints():
    assert CliRunner().invoke(command, ["settings", "--markdown"]).output.encode() == (DOCS / "settings.md").read_bytes()


def test_every_page_that_a_page_links_to_is_there():
    import re
    for page in [DOCS.parent / "README.md", *DOCS.glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
