"""The programs that ``chaosday serve`` keeps going: started again when they die, with a limit, and with their words."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from chaosday.errors import Unavailable
from chaosday.processes.process_table import identity, is_running

ROOT = Path(__file__).resolve().parent.parent
GRACE_S = 10
RUNS_S = 60
"""Enough to undo, judge and report; whoever stops us may have less patience, and then the watchdogs undo."""
STARTS, WITHIN_S = 5, 600.0
LINES = 5


class Child:
    """A Python program of ours by a name that people know; what it says goes on to standard error.

    ``told`` is written to its standard input: what neither its arguments nor its environment may show. With ``runs``,
    what it starts are runs, which want to undo and judge before it ends.
    """

    def __init__(
        self, name: str, words: Sequence[str], environment: Mapping[str, str], *, told: bytes = b"", runs: bool = False
    ) -> None:
        self.name, self._told, self._runs = name, told, runs
        self._command, self._environment = [sys.executable, "-m", *words], dict(environment)
        self._said: collections.deque[str] = collections.deque(maxlen=LINES)
        self._deaths: list[float] = []
        self._process = self._started()

    @property
    def pid(self) -> int:
        """Of the one that runs, or ran last."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def why(self) -> str:
        """How it ended, and the last that it said."""
        code = self._process.wait()
        self._reader.join(1)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        said = " / ".join(line for line in self._said if line)
        return f"the {self.name} {how}" + (f"; the last that it said: {said}" if said else " without a word")

    def start_again(self) -> str:
        """Start it once more and say why; ``Unavailable`` where it has died too often in a short time."""
        why, now = self.why(), time.monotonic()
        self._deaths = [*(at for at in self._deaths if now - at < WITHIN_S), now]
        if len(self._deaths) > STARTS:
            raise Unavailable(f"{why}. It was started again {STARTS} times within {WITHIN_S / 60:.0f} min")
        # What it had started is nobody's now, and would be in the way of what it starts again.
        self.end()
        self._said.clear()
        self._process = self._started()
        return f"{why}. It was started again ({len(self._deaths)} of {STARTS})"

    def end(self) -> None:
        """End it with everything it started: politely, and after a grace for good."""
        family = []
        with contextlib.suppress(psutil.NoSuchProcess):
            family = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
        if self._runs and family:
            _end_runs(family[0])
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        for process in psutil.wait_procs(family, timeout=GRACE_S)[1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self._command,
            env=self._environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdin is not None
        # It may have died already; the pipe holds more than it is told.
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(self._told)
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()
        return process

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self._said.append(line.decode(errors="replace").strip())
            with contextlib.suppress(OSError):
                os.write(2, line)


def _end_runs(worker: psutil.Process) -> None:
    """End a worker once what it runs has undone, judged and reported: one that is told to end kills that instead.

    Frozen meanwhile, it starts nothing more. Only the runs themselves are told: what they have started, proxies and
    clients, is theirs to end.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        worker.suspend()
        runs = worker.children()
        # One that has ended is there until the frozen parent takes note, and runs no more.
        told = [identity(run.pid) for run in runs]
        for run in runs:
            with contextlib.suppress(psutil.NoSuchProcess):
                run.terminate()
        until = time.monotonic() + RUNS_S
        while any(map(is_running, told)) and time.monotonic() < until:
            time.sleep(0.1)
        worker.kill()
