"""A shell on this machine."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.model.target import ShellResult
from chaosday.processes.umask import GIVEN

OUTPUT_LIMIT_BYTES = 16 << 20
CHUNK_BYTES = 64 << 10
RUN_MARK = "CHAOSDAY_RUN"
"""The environment variable by which the processes of a run are known, and ended when it dies."""


class LocalShell:
    """``Shell`` over ``sh`` on this machine; ``sudo`` never asks for a password."""

    def run(self, script: str, *, timeout_s: float = 30, stdin: str = "", sudo: bool = False) -> ShellResult:
        """Run a script in a session of its own, so that a Ctrl-C at our terminal does not cut an undo short."""
        command = ["sh", "-c", script]
        if sudo and os.geteuid() != 0:
            command = ["sudo", "-n", *command]
        # What an undo starts again (a service) is not a process of the run.
        environment = {name: value for name, value in os.environ.items() if name != RUN_MARK}
        try:
            code, *printed = ended(command, stdin=stdin.encode(), timeout_s=timeout_s, env=environment, umask=GIVEN)
        except FileNotFoundError:
            raise CapabilityMissing(f"{command[0]} is not installed here") from None
        except subprocess.TimeoutExpired:
            raise TargetUnreachable(f"a command on this machine did not end within {timeout_s:g} s") from None
        out, err = (each.replace("\r\n", "\n").replace("\r", "\n") for each in printed)
        return ShellResult(code=code, out=out, err=err)


def ended(command: Sequence[str], *, stdin: bytes = b"", timeout_s: float, **options: Any) -> tuple[int, str, str]:
    """Run a program in a session of its own: its exit code, and of both streams what it printed up to a limit.

    ``options`` are of ``subprocess.Popen``. ``subprocess.TimeoutExpired`` where it has not ended in time: whatever is
    in its session is killed then.
    """
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, **options)
    try:
        out, err = _exchanged(process, stdin, time.monotonic() + timeout_s)
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for each in (process.stdin, process.stdout, process.stderr):
            if each is not None:
                each.close()
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


def _exchanged(process: subprocess.Popen[bytes], stdin: bytes, deadline: float) -> tuple[bytearray, bytearray]:
    """Feed and drain until both streams have ended, and the process; what it prints beyond a limit is thrown away."""
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    kept = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    with selectors.DefaultSelector() as ready:
        for handle in kept:
            ready.register(handle, selectors.EVENT_READ)
        ready.register(process.stdin.fileno(), selectors.EVENT_WRITE)
        while ready.get_map():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise subprocess.TimeoutExpired(process.args, 0)
            for key, _ in ready.select(left_s):
                if key.fd in kept:
                    block = os.read(key.fd, CHUNK_BYTES)
                    kept[key.fd] += block
                    del kept[key.fd][OUTPUT_LIMIT_BYTES:]
                    if not block:
                        ready.unregister(key.fd)
                    continue
                # A pipe that is ready takes so much at once, and a command need not read all of it.
                with contextlib.suppress(BrokenPipeError):
                    stdin = stdin[os.write(key.fd, stdin[: select.PIPE_BUF]) :] if stdin else stdin
                    if stdin:
                        continue
                ready.unregister(key.fd)
                process.stdin.close()
    process.wait(max(0.0, deadline - time.monotonic()))
    out, err = kept.values()
    return out, err
