"""What ``serve`` keeps going: why it died is said, and it is started again, but not for ever."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from chaosday.errors import Unavailable
from flows.children import STARTS, Child

LONG_S = 120
RUN = """
import pathlib, signal, sys, time
def ended(*_):
    time.sleep(2)
    pathlib.Path(sys.argv[1]).write_text("judged")
    sys.exit()
signal.signal(signal.SIGTERM, ended)
pathlib.Path(sys.argv[1]).write_text("on")
time.sleep(600)
"""
WORKER = """
import signal, subprocess, sys
run = subprocess.Popen([sys.executable, "run.py", "said"])
def ended(*_):
    run.kill()
    sys.exit()
signal.signal(signal.SIGTERM, ended)
run.wait()
"""


def program(folder: Path, text: str) -> dict[str, str]:
    """An environment in which a module called ``program`` is this text."""
    (folder / "program.py").write_text(text)
    return {**os.environ, "PYTHONPATH": str(folder)}


def until_it_has_died(child: Child) -> None:
    """Wait for it."""
    end = time.monotonic() + LONG_S
    while child.alive():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_died_and_why_is_said_and_it_is_started_again_with_a_limit(tmp_path: Path) -> None:
    """By its exit code and the last that it said, or by the signal; then one too many is the end."""
    child = Child("worker", ["program"], program(tmp_path, "import sys; sys.exit('no pool of that name')"))
    for number in range(1, STARTS + 1):
        until_it_has_died(child)
        said = child.start_again()
        assert "the worker ended with exit code 1; the last that it said: no pool of that name" in said
        assert f"({number} of {STARTS})" in said
    until_it_has_died(child)
    with pytest.raises(Unavailable, match=f"no pool of that name.*started again {STARTS} times"):
        child.start_again()


def test_one_that_was_killed_is_said_to_have_been(tmp_path: Path) -> None:
    """By which signal, and that it said nothing."""
    child = Child("server", ["program"], program(tmp_path, "import time; time.sleep(600)"))
    os.kill(child.pid, signal.SIGKILL)
    assert child.why() == "the server was killed by SIGKILL without a word"


def test_what_a_worker_runs_ends_before_it(tmp_path: Path) -> None:
    """It is asked to end and waited for, though the worker would have killed it; nothing of it is left."""
    (tmp_path / "run.py").write_text(RUN)
    said = tmp_path / "said"
    text = f"import os\nos.chdir({str(tmp_path)!r})\n{WORKER}"
    child = Child("worker", ["program"], program(tmp_path, text), runs=True)
    end = time.monotonic() + LONG_S
    while not said.is_file() or said.read_text() != "on":
        assert time.monotonic() < end
        time.sleep(0.05)
    family = psutil.Process(child.pid).children(recursive=True)
    child.end()
    assert said.read_text() == "judged"
    assert not child.alive() and not [each for each in family if each.is_running()]
