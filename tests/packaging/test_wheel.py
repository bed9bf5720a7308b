"""The wheel, installed into a virtualenv outside of the checkout, runs the demo."""
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=280, check=False, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_holds_the_product_and_runs_the_demo(tmp_path):
    # a copy of what git tracks, so that no build folder of the checkout leaks in
    files = run("git", "-C", ROOT, "ls-files", "-z").split("\0")
    source = tmp_path / "source"
    for name in filter(None, files):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, source)
    wheel = next(tmp_path.glob("*.whl"))
    top = {name.split("/")[0].removesuffix(".py") for name in zipfile.ZipFile(wheel).namelist() if ".dist-info" not in name}
    assert top == {"lrs", "workers", "verbs", "analytics", "wsgi"}
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    # what it depends on is found where these tests find it: test_bootstrap installs that too
    place = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(place, "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--only-binary", ":all:", wheel)
    told = run(tmp_path / "venv" / "bin" / "lrs", "demo", "--once", cwd=tmp_path)
    assert "Everything came out as it must" in told
