"""Whoever takes a server's folder away when its owner dies: a process beside it that reads a pipe from us.

The watchdog ends the run's processes; a copy of somebody's data is more than processes, and does not stay behind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from chaosday.errors import Unavailable
from chaosday.processes.forks import close_in_children
from chaosday.processes.python import python, python_environment
from chaosday.servers.shared_memory import release

_PATIENCE_S = 120.0


class Janitor:
    """Our end of the pipe."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @classmethod
    def start(cls, folder: Path, data: Path) -> Self:
        """Watch over ``folder``, in which the server's data directory ``data`` is or will be."""
        environment = python_environment()
        environment.pop("CHAOSDAY_RUN", None)
        process = subprocess.Popen(
            [*python(), "-m", "chaosday.servers.janitor", str(folder), str(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=environment,
        )
        assert process.stdin is not None and process.stdout is not None
        close_in_children(process.stdin.fileno())
        if process.stdout.readline() != b"ready\n":
            raise Unavailable("nobody would take the copies away if this process died: the janitor did not start")
        return cls(process)

    def close(self) -> None:
        """All has been taken away: let it go; any number of times."""
        pipe, answers = self._process.stdin, self._process.stdout
        if pipe is None or answers is None or pipe.closed:
            return
        close_in_children(pipe.fileno(), forget=True)
        with contextlib.suppress(OSError):
            pipe.close()
        answers.close()
        self._process.wait()


def main() -> None:
    """The janitor's own process: wait for the end of the pipe, then take away what is there."""
    folder, data = Path(sys.argv[1]), Path(sys.argv[2])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    print("ready", flush=True)
    sys.stdin.buffer.read()
    until = time.monotonic() + _PATIENCE_S
    while folder.exists() and time.monotonic() < until:
        end_server(data)
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.05)


def end_server(data: Path) -> None:
    """End the server that works in a data directory, if one does; told to stop at once it takes its shared memory
    with it, and what an earlier one left goes too."""
    until = time.monotonic() + _PATIENCE_S
    while (pid := _server_of(data)) is not None and time.monotonic() < until:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGQUIT)
        time.sleep(0.05)
    release(data)


def _server_of(data: Path) -> int | None:
    """The postmaster that works in ``data``, while it lives; its number may be somebody else's by now."""
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        works_here = Path(f"/proc/{pid}/cwd").resolve() == data.resolve()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError, IndexError):
        return None
    return pid if works_here and state not in "ZX" else None


if __name__ == "__main__":
    main()
