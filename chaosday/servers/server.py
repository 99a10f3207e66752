"""A server of the lab: one process in the background that can be started again by anybody, and is ended by its pid."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaosday.errors import CapabilityMissing, ChaosdayError, TargetUnreachable

START_S = 180
"""A server that is still starting is waited for as long as a busy machine takes; one that has ended is not."""


def program(name: str, package: str) -> str:
    """The path of a program, or which package brings it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin")
    if found is None:
        raise CapabilityMissing(f"{name} is not installed: apt-get install {package}")
    return found


@dataclass
class Server:
    """``command`` stays in the foreground; ``folder`` takes its log and pid file."""

    name: str
    command: list[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    sockets: tuple[Path, ...] = ()
    """What it makes outside its folder, and leaves there when it is killed."""

    @property
    def pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def start_script(self) -> str:
        """POSIX ``sh`` that starts it where it does not run: any number of times, from any process."""
        words = " ".join(shlex.quote(each) for each in self.command)
        set_ = " ".join(f"{name}={shlex.quote(value)}" for name, value in self.environment.items())
        pid_file, log = shlex.quote(str(self.pid_file)), shlex.quote(str(self.log))
        # A killed child that nobody has waited for yet is a zombie, and kill -0 takes that for running.
        return (
            f'pid=$(cat {pid_file} 2>/dev/null); state=; [ -z "$pid" ] || state=$(ps -o stat= -p "$pid")\n'
            f"case $state in '' | Z*)\n    cd / && env {set_} setsid {words} >>{log} 2>&1 </dev/null &\n"
            f"    echo $! > {pid_file} ;;\nesac\n"
        )

    def start(self, answers: Callable[[], Any], timeout_s: float = START_S) -> None:
        """Start it and wait until ``answers`` raises no error of ours; where its process ends first, that is said."""
        self.folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["sh", "-c", self.start_script()], check=True, stdin=subprocess.DEVNULL)
        until = time.monotonic() + timeout_s
        while True:
            try:
                answers()
            except ChaosdayError as error:
                if not self._runs():
                    raise TargetUnreachable(f"{self.name} ended while it started; {self.last_words()}") from None
                if time.monotonic() > until:
                    raise TargetUnreachable(f"{self.name} did not start: {error}; {self.last_words()}") from None
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End it with SIGKILL, by its pid; nothing happens where it does not run."""
        self._end(signal.SIGKILL, 5)
        for each in self.sockets:
            each.unlink(missing_ok=True)

    def stop_tree(self) -> None:
        """End it and every process that it started, with SIGKILL."""
        import psutil

        try:
            main = psutil.Process(self._pid())
            family = [main, *main.children(recursive=True)]
        except (OSError, ValueError, psutil.Error):
            return
        for each in family:
            with contextlib.suppress(psutil.Error):
                each.kill()
        psutil.wait_procs(family, timeout=5)

    def finish(self) -> None:
        """End it with SIGTERM, so that its files are whole and closed."""
        if not self._end(signal.SIGTERM, 30):
            raise TargetUnreachable(f"{self.name} does not end; {self.last_words()}")

    def _end(self, number: signal.Signals, patience_s: float) -> bool:
        try:
            pid = self._pid()
            os.kill(pid, number)
        except (OSError, ValueError):
            return True
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if not self._runs():
                return True
            time.sleep(0.01)
        return False

    def _pid(self) -> int:
        """Its number; ``OSError`` or ``ValueError`` where there is none that only we can have written."""
        with os.fdopen(os.open(self.pid_file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), encoding="ascii") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink != 1:
                raise ValueError("somebody else's")
            pid = int(file.read(32))
        if pid <= 1:
            # To kill(2) those are everybody, or whoever is of our group.
            raise ValueError("no number of a process of ours")
        return pid

    def _runs(self) -> bool:
        """Whether its process is there; a child that nobody has waited for stays in the table as a zombie."""
        import psutil

        try:
            return psutil.Process(self._pid()).status() != psutil.STATUS_ZOMBIE
        except (OSError, ValueError, psutil.Error):
            return False

    def last_words(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return f"its log ends: {' / '.join(lines[-2:])[-300:]}" if lines else "its log is empty"

    def process(self, state_dir: Path) -> dict[str, Any]:
        """A ``local_process`` target for it, which may be started again."""
        return {
            "kind": "local_process",
            "pid_file": str(self.pid_file),
            "restart": self.start_script(),
            "state_dir": str(state_dir),
        }
