"""The demo as a newcomer meets it: one command, an empty home, and nothing left afterwards."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.leftovers import listening_ports_of, processes_of, seconds_until_gone

pytestmark = pytest.mark.lab

COMMAND = [sys.executable, "-m", "chaosday", "demo", "--json"]


def environment(folder: Path) -> dict[str, str]:
    """A newcomer's: an empty home, and runs under ``folder``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "CHAOSDAY"))}
    home = folder / "home"
    home.mkdir(exist_ok=True)
    # A folder for temporary files of its own: what other programs leave in the common one is not the demo's.
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    temporary.chmod(0o1777)
    own = {"HOME": home, "CHAOSDAY_RUNS": folder / "runs", "CHAOSDAY_TEST_MARK": folder, "TMPDIR": temporary}
    return kept | {name: str(value) for name, value in own.items()}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is on no other process, and which an unprivileged server may enter."""
    path = Path(tempfile.mkdtemp(prefix="chaosday-demo-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def test_the_demo_gives_both_verdicts_and_leaves_nothing(folder: Path) -> None:
    """Both arms right, exit 0, one JSON object, no process, nothing in the home, only the run directory on disk."""
    done = subprocess.run(COMMAND, env=environment(folder), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    said = json.loads(done.stdout)
    assert said["ok"] is True
    assert [(arm["name"], arm["verdict"]) for arm in said["arms"]] == [
        ("asynchronous", "violated"),
        ("synchronous", "pass"),
    ]
    asynchronous, synchronous = said["arms"]
    assert asynchronous["lost"] > 0 == synchronous["lost"]
    assert len(asynchronous["lost_keys"]) == min(asynchronous["lost"], 1000)
    assert synchronous["proofs"] == {"bite": True, "sight": True, "clean": True}
    assert 0 < synchronous["loss_upper_bound_95"] < 0.01
    assert all((Path(arm["run"]) / "report.html").is_file() for arm in said["arms"])
    assert processes_of(str(folder)) == []
    assert list((folder / "home").iterdir()) == []
    assert list((folder / "runs").glob("*/*-servers/lab")) == []
    assert list((folder / "tmp").iterdir()) == []


@pytest.mark.breadth
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_moment_it_leaves_nothing_running(folder: Path, seed: int) -> None:
    """SIGKILL at a random moment: all processes and ports are gone, and recover finds nothing left to do."""
    process = subprocess.Popen(
        COMMAND,
        env=environment(folder),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(random.Random(seed).uniform(2, 20))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert seconds_until_gone(str(folder)) is not None, [p.cmdline() for p in processes_of(str(folder))]
    assert listening_ports_of(str(folder)) == []
    recovered = subprocess.run(
        [sys.executable, "-m", "chaosday", "recover"],
        env=environment(folder),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert recovered.returncode == 0, recovered.stdout + recovered.stderr
    assert recovered.stdout.strip()
