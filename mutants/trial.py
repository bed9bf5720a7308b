"""Runs the tests of mutants in copies of the tree and says of each whether it was caught."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from mutants.copies import Copy
from mutants.mutant import Mutant, Unfit

SECONDS = 60
"""The time limit of one test; four of them are that of all tests of one mutant."""
RAN = (0, 1)
"""The exit codes of pytest when it could collect the tests."""
PASSED, FAILED, TIMEOUT, ERROR = "passed", "failed", "timeout", "error"
CAUGHT, SURVIVED, UNFIT = "caught", "survived", "unfit"
Told = Callable[["Verdict"], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`end` is caught, survived, or unfit (it does not apply, or not even the tests can be collected with it); `why` says
    more where it was not caught."""

    mutant: Mutant
    end: str
    why: str
    seconds: float


class NotGreen(Exception):
    """Tests fail although nothing is broken: they prove nothing."""


def outcomes(copy: Copy, nodes: Sequence[str], *, seconds: float = SECONDS, processes: int = 0, bytecode: bool = False) -> dict[str, str]:
    """How each test ended, by node id. `nodes` that pytest does not find, and everything where it cannot even begin, are
    not in it. The tests see the copy's product and no other."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment |= {"PYTHONPATH": str(copy.folder), **({} if bytecode else {"PYTHONDONTWRITEBYTECODE": "1"})}
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(processes), "--tb=line", "-o", "junit_family=xunit1",
                   f"--timeout={seconds:g}", f"--junitxml={report}", *nodes]
        running = subprocess.Popen(command, cwd=copy.folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        try:
            running.wait(seconds * max(4, len(nodes)))
        except subprocess.TimeoutExpired:
            return dict.fromkeys(nodes, TIMEOUT)
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
        return _read(report) if running.returncode in RAN and report.exists() else {}


def check(copy: Copy, mutants: Iterable[Mutant], processes: int) -> None:
    """Run the tests of all mutants once with nothing broken. Raises `NotGreen`."""
    nodes = sorted({node for mutant in mutants for node in mutant.tests})
    found = outcomes(copy, nodes, processes=processes, bytecode=True)
    ends = {node: _together(node, found) for node in nodes}
    if red := [f"{node}: {', '.join(sorted(said)) or 'not found'}" for node, said in ends.items() if said != {PASSED}]:
        raise NotGreen("\n".join(red))


def verdict(copy: Copy, mutant: Mutant, seconds: float = SECONDS) -> Verdict:
    """Break the copy and look who notices."""
    started = time.monotonic()

    def ended(end: str, why: str = "") -> Verdict:
        return Verdict(mutant, end, why, time.monotonic() - started)

    try:
        with copy.broken(mutant):
            found = outcomes(copy, mutant.tests, seconds=seconds)
    except Unfit as fault:
        return ended(UNFIT, str(fault))
    if not found:
        return ended(UNFIT, "not even the tests can be collected: it breaks everything, which proves nothing")
    enough = {FAILED, TIMEOUT} if mutant.hangs else {FAILED}
    blind = [f"{node} {'/'.join(sorted(said)) or 'was not run'}" for node in mutant.tests
             if not (said := _together(node, found)) & enough]
    return ended(SURVIVED, "; ".join(blind)) if blind else ended(CAUGHT)


def try_all(root: Path, mutants: Sequence[Mutant], processes: int, told: Told) -> list[Verdict]:
    """Every mutant against its tests, `processes` at once; `told` hears each verdict as it comes. Raises `NotGreen` where
    the tests fail without any mutant."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        whole = Copy.of_repository(root, Path(folder) / "0")
        check(whole, mutants, processes)
        free: SimpleQueue[Copy] = SimpleQueue()
        free.put(whole)
        for n in range(1, processes):
            free.put(whole.again(Path(folder) / str(n)))

        def one(mutant: Mutant) -> Verdict:
            copy = free.get()
            try:
                found = verdict(copy, mutant)
            finally:
                free.put(copy)
            told(found)
            return found

        with ThreadPoolExecutor(processes) as pool:
            return list(pool.map(one, mutants))


def _read(report: Path) -> dict[str, str]:
    ends: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        if case.get("file") is None:
            continue  # a file that could not be collected
        failure, error = case.find("failure"), case.find("error")
        end = PASSED if failure is None and error is None else FAILED if failure is not None else ERROR
        if failure is not None and "Timeout (>" in (failure.get("message") or ""):
            end = TIMEOUT
        if case.find("skipped") is not None:
            end = "skipped"
        ends[f"{case.get('file')}::{case.get('name')}"] = end
    return ends


def _together(node: str, found: Mapping[str, str]) -> set[str]:
    """How the cases of a test ended."""
    return {end for name, end in found.items() if node in (name, name.partition("[")[0])}
