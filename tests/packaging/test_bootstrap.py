"""`bootstrap` checks before it creates, and mends a half-made virtualenv."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path):
    for name in ("bootstrap", "Makefile", "setup.cfg", "pyproject.toml", "constraints.txt", "README.md", "wsgi.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("lrs", "workers", "verbs", "analytics"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def bootstrap(checkout, **environment):
    return subprocess.run(["sh", "bootstrap"], cwd=checkout, capture_output=True, text=True, timeout=280, check=False,
                          env={**os.environ, **environment})


def fake_python(folder, lacks="", version=(3, 12)):
    """A Python that lacks a module, or is too old."""
    program = folder / "python"
    program.write_text(f"""#!{sys.executable}
import sys
code = sys.argv[2] if sys.argv[1:2] == ["-c"] else ""
if "version_info" in code:
    sys.exit({version} < (3, 11))
sys.exit(1 if {lacks!r} and code == "import {lacks}" else 0)
""")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize("module", ["ensurepip", "venv", "sqlite3", "ssl"])
def test_a_python_that_lacks_a_module_is_refused_before_anything_is_created(checkout, tmp_path, module):
    done = bootstrap(checkout, PYTHON=fake_python(tmp_path, lacks=module))
    assert done.returncode == 1
    assert module in done.stderr
    assert "sudo apt install git make python3-venv" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_python_that_is_too_old_is_refused(checkout, tmp_path):
    done = bootstrap(checkout, PYTHON=fake_python(tmp_path, version=(3, 9)))
    assert done.returncode == 1
    assert "3.11 or newer" in done.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.slow
def test_make_demo_makes_a_half_made_virtualenv_anew_and_keeps_a_whole_one(checkout):
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(sys.executable)
    done = subprocess.run(["make", "demo", "ONCE=1"], cwd=checkout, capture_output=True, text=True, timeout=280, check=False,
                          env={**os.environ, "PYTHON": sys.executable})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything came out as it must" in done.stdout
    again = bootstrap(checkout, PYTHON=sys.executable)
    assert (again.returncode, again.stderr) == (0, "")
