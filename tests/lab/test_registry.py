"""A run of the tests that ends in any way leaves nothing: its sweeper undoes what was registered and ends the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chaosday.servers import postgres, shared_memory
from tests.lab import registry
from tests.lab.sweeper import sweep_abandoned
from tests.leftovers import processes_of, seconds_until_gone

PROGRAM = """
import atexit, os, shutil, subprocess, sys, tempfile, time
from tests.lab import registry
run = registry.begin()
made = tempfile.mkdtemp()
subprocess.Popen(["sleep", "600"], start_new_session=True)
subprocess.Popen(["sleep", "600"], start_new_session=True, env={}, cwd=made)
registry.enter("a thing", "rm", sys.argv[1])
print(run.folder, run.sweeper.pid, flush=True)
if sys.stdin.readline():
    atexit.register(lambda: shutil.rmtree(made))
    assert len(run.close()) == 3, "two processes, and what was registered"
    print("over", flush=True)
"""


@pytest.fixture
def begun(tmp_path: Path) -> tuple[subprocess.Popen[str], Path, int]:
    """A program that has made something of each kind: itself, the folder of its run, its sweeper."""
    (tmp_path / "thing").touch()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "thing")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    folder, sweeper = process.stdout.readline().split()
    return process, Path(folder), int(sweeper)


def until(holds: Callable[[], bool]) -> bool:
    """Whether it does before a minute is over."""
    end = time.monotonic() + 200
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


@pytest.mark.parametrize("way", ["closed", signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left(begun: tuple[subprocess.Popen[str], Path, int], tmp_path: Path, way: str | int) -> None:
    """Processes in sessions of their own, one with nothing in its environment, files, and what was registered."""
    process, folder, _ = begun
    assert len(processes_of(str(folder))) == 2
    if isinstance(way, int):
        process.send_signal(way)
    said, complaints = process.communicate("go\n" if way == "closed" else None)
    if way == "closed":
        assert (said, complaints) == ("over\n", "")
    assert until(lambda: not folder.exists())
    assert seconds_until_gone(str(folder)) is not None
    assert not (tmp_path / "thing").exists()


def test_what_was_killed_with_its_sweeper_is_swept_by_the_next(
    begun: tuple[subprocess.Popen[str], Path, int], tmp_path: Path
) -> None:
    """Nobody holds the lock of the run's folder; while somebody does, it is left alone."""
    process, folder, sweeper = begun
    sweep_abandoned(folder.parent)
    assert folder.exists()
    os.kill(sweeper, signal.SIGKILL)
    process.kill()
    process.wait()  # its output is still open: in the processes that it started
    assert until(lambda: (lock := registry.locked(folder)) is not None and os.close(lock) is None)
    sweep_abandoned(folder.parent)
    assert not folder.exists() and not (tmp_path / "thing").exists()
    assert processes_of(str(folder)) == []


@pytest.mark.skipif(sys.platform != "linux", reason="keys of shared memory are Linux's")
@pytest.mark.parametrize("ended", ["killed", "stopped"])
def test_a_killed_postgresql_leaves_no_shared_memory(server_directory: Path, ended: str) -> None:
    """Its System V segment goes once the node has been stopped; a POSIX one, which names nobody, it never had."""
    node = postgres.primary(server_directory, name=f"shared-{ended}")
    try:
        pid = node.postmaster_pid()
        assert pid is not None
        assert pid in _segments().values()
        maps = Path(f"/proc/{pid}/maps").read_text()
        assert "/postgres" in maps and "/dev/shm/" not in maps
        assert shared_memory.release(node.data) == 0, "it lives"
        if ended == "killed":
            for process in processes_of(str(node.data)):
                process.kill()
    finally:
        node.stop()
    assert until(lambda: pid not in _segments().values())


def _segments() -> dict[int, int]:
    """Every System V segment, and the process that made it."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {int(line.split()[1]): int(line.split()[4]) for line in lines}
