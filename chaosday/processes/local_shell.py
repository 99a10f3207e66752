"""A shell on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.model.target import ShellResult

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
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
                env=environment,
            )
        except FileNotFoundError:
            raise CapabilityMissing(f"{command[0]} is not installed here") from None
        try:
            out, err = process.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise TargetUnreachable(f"a command on this machine did not end within {timeout_s:g} s") from None
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        return ShellResult(code=process.returncode, out=out, err=err)
