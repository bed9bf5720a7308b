"""Every link of the pages leads somewhere, and every command they show is one of the product with just those options."""
from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lrs.cli.main import command

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def prose(page: Path) -> str:
    """The page without its code blocks: what is in them is no link and no heading."""
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+)$", prose(page), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
        found.add(slug if slug not in found else f"{slug}-1")
    return found


def links() -> Iterator[tuple[Path, str]]:
    """Every link to a place of this repository, with the page that it stands on."""
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
            if not re.match(r"[a-z]+:", link):
                yield page, link


@pytest.mark.parametrize(("page", "link"), [pytest.param(*each, id=f"{each[0].name}->{each[1]}") for each in links()])
def test_a_link_leads_to_a_file_and_a_heading(page: Path, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    assert target.exists(), f"{page.name}: there is no {path}"
    assert not anchor or anchor in anchors(target), f"{page.name}: {target.name} has no heading #{anchor}"


def shown() -> Iterator[tuple[str, str]]:
    """Every `lrs …` command of a code block or between backticks, with the name of its page."""
    for page in PAGES:
        blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", page.read_text(), re.M | re.S)
        for line in [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]:
            if found := re.match(r"\s*(?:\$ )?(?:\S+/)?lrs ([a-z].*)", line):
                yield page.name, found[1]
        for line in re.findall(r"`lrs ([a-z][^`\n]*)`", prose(page)):
            # several commands of a noun at once: `lrs people list, show, import --dry-run` and `lrs rejections list|show`
            noun, *rest = line.split(" ", 1)
            for each in re.split(r", |\|", rest[0]) if rest else [""]:
                yield page.name, f"{noun} {each}".rstrip()


def words(line: str) -> list[str]:
    """The line's words as the shell would split them, without a comment, a pipe and an ellipsis."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    taken: list[str] = []
    for word in lexer:
        if word in {"|", ";", "&", "&&"}:
            break
        taken.append(word)
    return [word for word in taken if word != "…"]


COMMANDS = [pytest.param(page, line, id=f"{page}: {line[:60]}") for page, line in dict.fromkeys(shown())]


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_a_command_that_is_shown_exists_with_its_options(page: str, line: str) -> None:
    rest = words(line)
    found: click.Command = command
    context = click.Context(command, info_name="lrs")
    while isinstance(found, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0).rstrip(",")
        one = found.get_command(context, name)
        assert one is not None, f"{page}: there is no `lrs {line}`"
        found = one
    known = {name for parameter in [*found.params, *command.params] if isinstance(parameter, click.Option) for name in parameter.opts}
    for word in rest:
        option = word.strip("[],").partition("=")[0]
        assert not option.startswith("--") or option in {*known, "--help"}, f"{page}: `lrs {line}` has no {option}"
