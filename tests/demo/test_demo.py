"""The demo tells its story and comes out whole; a broken leg makes it fail by name."""
import os
import subprocess
import sys

import pytest

LRS = "from lrs.cli.main import main; main()"


def demo(**environment):
    return subprocess.run([sys.executable, "-c", LRS, "demo", "--once"], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **environment}, check=False)


@pytest.mark.slow
def test_the_story_comes_out_whole():
    told = demo()
    assert told.returncode == 0, told.stdout + told.stderr
    for words in ("Everything came out as it must", "unmapped", "(taken back)", "a person whom the directory does not know", ".parquet"):
        assert words in told.stdout


@pytest.mark.slow
@pytest.mark.parametrize("leg", ["hris", "crm", "feed", "export", "hook"])
def test_a_broken_leg_is_named_and_ends_with_1(leg):
    told = demo(LRS_DEMO_BREAK=leg)
    assert told.returncode == 1, told.stdout + told.stderr
    assert f"✗ {leg}" in told.stdout
    assert told.stdout.count("✗") == 1, "only the broken leg fails"
    assert f"BROKEN: {leg}" in told.stdout


def test_a_leg_that_there_is_not_is_refused():
    told = demo(LRS_DEMO_BREAK="moon")
    assert told.returncode == 78
    assert "hris, crm, feed, export, hook" in told.stderr
