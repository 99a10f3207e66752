"""Runs one workload in a process of its own, so that nothing else takes its time and a kill loses no record.

``python -m chaosday.clients.driver`` reads one line of JSON from standard input (it may hold secrets, so it
is nowhere else), answers ``ready``, and works until it reads ``stop`` or its standard input closes,
which is also what happens when whoever started it dies.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import orjson

from chaosday.clients.secrets import revealed
from chaosday.errors import Unavailable
from chaosday.model.target import Target
from chaosday.model.workload import Workload
from chaosday.processes.imports import pandas_when_wanted
from chaosday.processes.python import python, python_environment
from chaosday.registry import member

STOP_GRACE_S, HALT_GRACE_S = 60.0, 8.0
"""For its last words: a queue is drained, a whole set is read. Where all has to end, less is waited for."""


class Driver:
    """A workload at work: ``start`` when ``Driver.begin`` returns, ``stop`` ends it and says how it went."""

    def __init__(self, process: subprocess.Popen[bytes], workload: Workload) -> None:
        self._process = process
        self.workload = workload

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    def begin(cls, workload: Workload, target: Target, directory: Path, seed: int) -> Driver:
        """Start the workload; returns once its process has read what to do."""
        process = subprocess.Popen(
            [*python(), "-m", "chaosday.clients.driver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(directory / f"{workload.kind}.driver.log").open("wb"),
            start_new_session=True,
            env=python_environment(),
        )
        order = {
            "workload": revealed(workload),
            "target": revealed(target),
            "directory": str(directory),
            "seed": seed,
        }
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(orjson.dumps(order) + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if answer.strip() != b"ready":
            process.kill()
            process.wait()
            raise Unavailable(f"the {workload.kind} workload did not start; see {workload.kind}.driver.log in the run")
        return cls(process, workload)

    def alive(self) -> bool:
        return self._process.poll() is None

    def working(self) -> bool:
        """Whether it has not been asked to stop yet."""
        return self._process.stdin is not None and not self._process.stdin.closed

    def stop(self, grace_s: float = STOP_GRACE_S) -> str:
        """Ask it to stop, and say what was wrong with how it ended, if anything was; said once.

        After the grace it is killed: what was open is ``unknown``.
        """
        if self._process.stdin is None or not self.working():
            return ""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return f"the {self.workload.kind} workload did not stop by itself and was killed"
        if self._process.returncode:
            return f"the {self.workload.kind} workload failed; see {self.workload.kind}.driver.log in the run's history"
        return ""


def _main() -> None:
    pandas_when_wanted()
    # The terminal's Ctrl-C goes to the whole group; who started us decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = orjson.loads(sys.stdin.buffer.readline())
    workload = member("workloads", order["workload"]["kind"]).model_validate(order["workload"])
    target = member("targets", order["target"]["kind"]).model_validate(order["target"])
    assert isinstance(workload, Workload) and isinstance(target, Target)
    stop = threading.Event()

    def listen() -> None:
        sys.stdin.buffer.read()
        stop.set()

    threading.Thread(target=listen, daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    workload.run(target, Path(order["directory"]), stop, int(order["seed"]))
    # A client stuck in the network must not keep the process: what it began reads back as unknown.
    os._exit(0)


if __name__ == "__main__":
    _main()
