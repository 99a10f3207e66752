"""What a test run has started, and how each thing is undone: so that nothing stays, however the run ends.

A run has one folder, and every temporary file of the run is below it. Its path is in the environment, on the command
line or under the working directory of every process that is started, by which they are found. What no path leads
to (a network namespace, a container, a cgroup) is registered with its undo before it is made.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "CHAOSDAY_TEST_RUN"
PREFIX = "cdt-"
THINGS, LOCK = "things", "lock"
ROOT = Path(__file__).resolve().parent.parent.parent
_numbers = itertools.count()
_shared = contextlib.ExitStack()


@dataclass
class TestRun:
    """A run of the tests in the process that began it, and the sweeper that waits for its end."""

    __test__ = False  # not a class of tests

    folder: Path
    sweeper: subprocess.Popen[str]
    lock: int
    before: dict[str, str]

    def close(self) -> list[str]:
        """Have everything taken away that is still there; what that was, in words. The folder goes with this process:
        what runs at its very end still finds its own files there."""
        if self.sweeper.stdin is None or self.sweeper.stdin.closed:
            return []
        for name in (VARIABLE, "TMPDIR"):
            os.environ.pop(name, None)
        os.environ |= self.before
        tempfile.tempdir = None
        self.sweeper.stdin.close()
        assert self.sweeper.stdout is not None
        with self.sweeper.stdout as output:
            said = output.read()
        os.close(self.lock)
        return said.splitlines()


def begin() -> TestRun:
    """Make the run's folder, lead temporary files there, and start its sweeper; children find it by the environment."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    if (lock := locked(folder)) is None:
        return begin()  # another run's sweeper has just looked whether it is abandoned
    folder.chmod(0o711)  # servers run under other accounts, each with a folder of its own in here
    (folder / THINGS).mkdir(mode=0o700)
    # Not of our environment to be: the sweeper must not be found by what it looks for.
    sweeper = subprocess.Popen(
        [sys.executable, "-m", "tests.lab.sweeper", str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
        pass_fds=[lock],  # held for as long as one of the two lives
    )
    assert sweeper.stdin is not None
    sweeper.stdin.write(f"{folder}\n")
    sweeper.stdin.flush()
    before = {name: os.environ[name] for name in (VARIABLE, "TMPDIR") if name in os.environ}
    os.environ |= {VARIABLE: str(folder), "TMPDIR": str(folder)}
    tempfile.tempdir = str(folder)
    return TestRun(folder, sweeper, lock, before)


@contextlib.contextmanager
def registered(what: str, *undo: str) -> Iterator[None]:
    """``what`` may be made inside the block, which takes it away again; ``undo`` is the command that does so otherwise.

    The command is run by the sweeper, in the checkout's root, and has to be harmless where there is nothing to undo.
    """
    entry = enter(what, *undo)
    try:
        yield
    finally:
        entry.unlink(missing_ok=True)


def enter(what: str, *undo: str) -> Path:
    """The same without a block: the entry's file, which whoever has undone it removes."""
    things = Path(os.environ[VARIABLE]) / THINGS if VARIABLE in os.environ else _without_tests()
    entry = things / f"{os.getpid()}-{next(_numbers):06d}.json"
    unfinished = entry.with_suffix(".new")
    unfinished.write_text(json.dumps({"what": what, "undo": undo}))
    unfinished.rename(entry)
    return entry


def share(undo: Callable[[], None]) -> None:
    """Call it when the tests of this process are over: for what is started once, on first use, and not by a fixture."""
    _shared.callback(undo)


def close_shared() -> None:
    """Do so."""
    _shared.close()


def _without_tests() -> Path:
    """The lab is used by benchmarks too: theirs is a run of its own that ends with the process."""
    import atexit

    run = begin()
    atexit.register(run.close)
    atexit.register(close_shared)
    return run.folder / THINGS


def locked(folder: Path) -> int | None:
    """The lock of a run's folder; None while the run or its sweeper has it, or where there is no folder."""
    try:
        lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock
