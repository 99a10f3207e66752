"""Runs of a Python program that begin where its imports end: an interpreter that forks, and what it began.

Each run is seen, ended and known by its mark as one that was started the usual way.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chaosday.errors import Unavailable
from chaosday.processes import fork_server, gated_exec
from chaosday.processes.forks import close_in_children

_ROOM = 32
"""Letters that a mark may have."""
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class Program:
    """A command that is Python's: its interpreter, and the script or module with its arguments."""

    command: tuple[str, ...]
    interpreter: str
    script: str
    arguments: tuple[str, ...]
    module: bool = False


def program_of(command: Sequence[str], folder: Path, path: str) -> Program | None:
    """The Python program that a command runs; None where it is none, or is run with options of the interpreter's."""
    found = shutil.which(command[0], path=path)
    if found is None or ("/" in command[0] and not Path(command[0]).is_absolute()):
        return None
    interpreter = _shebang(Path(found))
    if interpreter is not None:
        return Program(tuple(command), interpreter, found, tuple(command[1:])) if interpreter else None
    rest = list(command[1:])
    if not Path(found).name.startswith("python") or not rest:
        return None
    if rest[0] == "-m" and len(rest) > 1:
        return Program(tuple(command), found, rest[1], tuple(rest[2:]), module=True)
    if rest[0].startswith("-") or not (folder / rest[0]).is_file():
        return None
    return Program(tuple(command), found, rest[0], tuple(rest[1:]))


def _shebang(file: Path) -> str | None:
    """The interpreter that a script names: empty where it is not plainly Python's, None where it is no script."""
    with file.open("rb") as opened:
        line = opened.readline(300)
    if not line.startswith(b"#!"):
        return None
    words = line[2:].decode(errors="replace").split()
    return words[0] if len(words) == 1 and Path(words[0]).name.startswith("python") else ""


class Forked:
    """A run that the server began, as much of ``subprocess.Popen`` as its owner asks."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self.pid = pid
        self._server = server
        self._handle = os.pidfd_open(pid)
        self._code: int | None = None

    def poll(self) -> int | None:
        """How it ended, as ``Popen.poll``."""
        return self._code if self._code is not None else self._look(0)

    def wait(self) -> int:
        """Wait for its end, and how that was."""
        while (code := self.poll()) is None:
            select.select([self._handle], [], [])
        return code

    def _look(self, patience_s: float) -> int | None:
        if not select.select([self._handle], [], [], patience_s)[0]:
            return None
        os.close(self._handle)
        self._handle = -1
        try:
            self._code = os.waitstatus_to_exitcode(int(self._server.ask({"reap": self.pid})))
        except Unavailable:
            self._code = -signal.SIGKILL  # with its parent nobody is left who could say
        return self._code


class ForkServer:
    """The interpreter of a program, started in ``folder`` with ``variables``; ``Unavailable`` where it does not answer.

    ``close`` ends it; what it began goes on. It ends by itself when its owner does.
    """

    def __init__(self, program: Program, folder: Path, variables: Mapping[str, str]) -> None:
        self.program = program
        self.variables = dict(variables)
        self.extra: dict[str, str] = {}
        """``learn``: a file into which a run writes, at its end, the modules that it has imported; ``probe``: such a
        file, of which a child imports all, prints what it should not have then, and does nothing else."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_PATIENCE_S)
        self._door = ours
        close_in_children(ours.fileno())
        with theirs:
            self._process = subprocess.Popen(
                [program.interpreter, fork_server.__file__, str(theirs.fileno()), gated_exec.__file__],
                cwd=folder,
                env={**variables, fork_server.MARK: "-" * _ROOM},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        try:
            self._answer()
        except Unavailable:
            self.close()
            raise

    def preload(self, names: Path, folder: Path) -> list[str]:
        """Import the modules named in a file, in ``folder``; what a child should not have by then, in words."""
        found: list[str] = self.ask({"preload": str(names), "folder": str(folder)})
        return found

    def start(self, folder: Path, mark: str, channel: int, log: int, *, files: bool = False) -> Forked:
        """Begin a run in ``folder``; ``channel`` and ``log`` are descriptors. What is in ``extra`` goes with it.

        ``files`` is whether it asks about its changes of files, and not about its connections alone."""
        program = self.program
        if len(mark) > _ROOM:
            raise Unavailable(f"the mark {mark} is too long")
        asked = {**asdict(program), "folder": str(folder), "mark": mark, "files": files, **self.extra}
        return Forked(self, int(self.ask(asked, (channel, log))))

    def ask(self, what: Mapping[str, Any], handles: Sequence[int] = ()) -> Any:
        """One question and its answer."""
        try:
            socket.send_fds(self._door, [json.dumps(what).encode()], handles)
        except OSError as error:
            raise Unavailable(f"the interpreter that forks does not answer: {error}") from None
        return self._answer()

    def _answer(self) -> Any:
        try:
            said = self._door.recv(1 << 16)
        except OSError as error:
            raise Unavailable(f"the interpreter that forks does not answer: {error}") from None
        if not said:
            raise Unavailable("the interpreter that forks has ended")
        return json.loads(said)

    def close(self) -> None:
        """End it, and what its imports have begun; any number of times."""
        if self._door.fileno() >= 0:
            close_in_children(self._door.fileno(), forget=True)
        self._door.close()
        if self._process.poll() is None:
            # Not yet reaped, its number is still its own; runs have sessions of their own and are none of these.
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
