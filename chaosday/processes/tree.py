"""A command with everything that it starts: begun, watched, and ended to the last process.

Its processes are known by a mark in their environment, and by descent; those that do both, leave their parent and
clear their environment, are found by the run's own mark no more, and named as a limit.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from chaosday.errors import ChaosdayError, Unavailable
from chaosday.processes import gated_exec
from chaosday.processes.connect_gate import ConnectGate, Refused
from chaosday.processes.file_acts import Files
from chaosday.processes.fork_server import MARK
from chaosday.processes.forking import Forked, ForkServer

_END_S = 30.0
_SOON_S = 5.0
_LOOK_S = 0.01


class Tree:
    """One start of a command in ``folder``; what it prints goes to ``log``. With ``forks`` it begins in that, and as
    ever where that does not answer."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        variables: Mapping[str, str],
        log: Path,
        mark: str,
        forks: ForkServer | None = None,
    ) -> None:
        self.command = list(command)
        self.folder = folder
        self.variables = dict(variables) | {MARK: mark}
        self.log = log
        self.mark = mark
        self.gate: ConnectGate
        self._forks = forks
        self._process: _Child | Forked | None = None

    def start(self, refused: Refused, files: Files | None = None) -> None:
        """Begin it, every connection watched, and ``files`` if given; ``CapabilityMissing`` where that cannot be."""
        self.gate = ConnectGate(refused, files)
        ours, theirs = socket.socketpair()
        with ours, theirs, self.log.open("ab") as log:
            self._process = self._forked(theirs, log) or self._fresh(theirs, log)
            theirs.close()
            try:
                self.gate.adopt(ours)
            except (ChaosdayError, OSError):
                self.kill()
                raise

    def _forked(self, channel: socket.socket, log: IO[bytes]) -> Forked | None:
        if self._forks is None:
            return None
        files = self.gate.watches_files
        with contextlib.suppress(Unavailable):
            return self._forks.start(self.folder, self.mark, channel.fileno(), log.fileno(), files=files)
        return None

    def _fresh(self, channel: socket.socket, log: IO[bytes]) -> _Child:
        door, what = str(channel.fileno()), "files" if self.gate.watches_files else "connections"
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", gated_exec.__file__, door, what, *self.command],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[channel.fileno()],
            start_new_session=True,
        )
        return _Child(process)

    @property
    def code(self) -> int | None:
        """How it ended: an exit code, the negative number of a signal, or None while it runs."""
        return self._process.poll() if self._process else None

    def stop(self) -> None:
        """Have all of it stand still, until ``go_on``."""
        stopped: set[int] = set()
        while young := self.living() - stopped:
            for pid in young:
                _signal(pid, signal.SIGSTOP)
            stopped |= young

    def go_on(self) -> None:
        """Let it go on after ``stop``."""
        for pid in self.living():
            _signal(pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it and all that it started, with SIGKILL, none of them noticing that another one goes."""
        until = time.monotonic() + _END_S
        while found := self.living():
            # Standing still none of them starts another one, or sends a last word to a server.
            for pid in found:
                _signal(pid, signal.SIGSTOP)
            for pid in {*found, *self.living()}:
                _signal(pid, signal.SIGKILL)
            if self._process is not None:
                self._process.poll()
            if time.monotonic() > until:
                raise Unavailable(f"processes of {self.command[0]} do not end: {sorted(found)}")
            time.sleep(0.001)
        if self._process is not None:
            self._process.wait()
        self.gate.close()

    def end(self) -> list[int]:
        """It has ended by itself: what of it does not end by itself soon is ended, and returned."""
        until = time.monotonic() + _SOON_S
        # Helpers that end when their pipe does (multiprocessing's tracker of resources) are there a moment longer.
        while (left := sorted(self.living())) and time.monotonic() < until:
            time.sleep(_LOOK_S)
        self.kill()
        return left

    def living(self) -> set[int]:
        """The processes of it that have not ended."""
        return marked(self.mark) | ({self._process.pid} if self.code is None and self._process else set())

    def output(self, lines: int = 12) -> str:
        """The last lines that it printed."""
        try:
            said = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return "\n".join(said[-lines:])


class _Child:
    """A process of ours of which only the end is heard: ``waitpid`` would take its stops for a tracer for ends."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self._process = process
        self._handle = os.pidfd_open(process.pid)

    def poll(self) -> int | None:
        """As ``Popen.poll``."""
        return self._look(0)

    def wait(self) -> int:
        """As ``Popen.wait``."""
        while (code := self._look(None)) is None:
            pass
        return code

    def _look(self, patience_s: float | None) -> int | None:
        if self._handle >= 0:
            if not select.select([self._handle], [], [], patience_s)[0]:
                return None
            os.close(self._handle)
            self._handle = -1
        return self._process.wait()


def marked(*marks: str) -> set[int]:
    """Processes that carry one of the marks, zombies apart, and what descends from them."""
    wanted = {f"{MARK}={mark}".encode() for mark in marks}
    parents: dict[int, int] = {}
    found: set[int] = set()
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - names are enough, and there are many
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, parent = _read(f"/proc/{name}/stat").rpartition(b")")[2].split()[:2]
            if state in (b"Z", b"X"):
                continue
            parents[int(name)] = int(parent)
            said = _read(f"/proc/{name}/environ")
            if MARK.encode() in said and not wanted.isdisjoint(said.split(b"\0")):
                found.add(int(name))
    grown = True
    while grown:
        young = {pid for pid, parent in parents.items() if parent in found} - found
        found |= young
        grown = bool(young)
    return found


def _read(path: str) -> bytes:
    """All of a small file of the kernel's, which knows no size: without the layers of a file object."""
    said = b""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while part := os.read(descriptor, 1 << 16):
            said += part
    finally:
        os.close(descriptor)
    return said


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, number)
