"""The page docs/mutants.md, made of the list."""
from __future__ import annotations

from collections.abc import Sequence

from mutants.listed import PARTS
from mutants.mutant import Mutant

HEAD = """# Mutants

Each row is a breakage of one place of the product. `make mutants` makes it in a copy of the tree, runs the tests beside it,
and demands that they fail; before that, that they pass with nothing broken. A mutant that survives is a promise that no
test holds, and the exit code is 1.

```
make mutants                         # all, two at once
make mutants ARGS="--only NAME"      # one (may be repeated)
make mutants ARGS=--list             # what there is
make mutants ARGS=--json             # verdicts for a machine
```

A new promise brings its mutant: an entry in `mutants/listed/`, and `python -m mutants --page > docs/mutants.md`.
"""


def markdown(parts: dict[str, Sequence[Mutant]] | None = None) -> str:
    """The page: all mutants by part of the product, each with its promise and its tests."""
    parts = PARTS if parts is None else parts
    out = [HEAD, f"There are {sum(map(len, parts.values()))} of them.\n"]
    for title, mutants in parts.items():
        out += [f"## {title}\n", "| Mutant | The promise it breaks | Noticed by |", "|---|---|---|"]
        out += [f"| `{one.name}`<br>{one.file} | {_cell(one.breaks)} | {'<br>'.join(map(_test, one.tests))} |" for one in mutants]
        out.append("")
    return "\n".join(out)


def _test(node: str) -> str:
    file, _, name = node.partition("::")
    return f"`{file.removeprefix('tests/')}` {_cell(name.removeprefix('test_').replace('_', ' '))}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
