"""Our own side's watchdog: a process beside the run that ends everything at once when the run dies.

It reads a pipe from us, and the end of that pipe is our death, whatever killed us. It stands in a session of
its own and is nobody's child, so that neither a signal to our group nor one to our process tree reaches it.
The lease on the target is for the case that it dies with us (a power cut): this one takes milliseconds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from chaosday.errors import Unavailable
from chaosday.processes.forks import close_in_children
from chaosday.processes.python import python, python_environment

if TYPE_CHECKING:
    from chaosday.model.target import ProcessIdentity, Target
    from chaosday.record.journal import OpenFault

_HEAL_FIRST_S = 1.5
_HEAL_AT_MOST_S = 120.0
_TRIES = 10


class Watchdog:
    """The run's end of the pipe."""

    def __init__(self, process: subprocess.Popen[str], pid: int) -> None:
        self.pid = pid
        self._process = process
        self._lock = threading.Lock()

    @classmethod
    def start(cls, run: str, journal_path: Path) -> Self:
        """Start it; it watches when this returns. ``Unavailable`` if it does not come up."""
        environment = python_environment()
        environment.pop("CHAOSDAY_RUN", None)
        process = subprocess.Popen(
            [*python(), "-m", "chaosday.undo.watchdog", "--run", run, "--journal", str(journal_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            env=environment,
        )
        assert process.stdin is not None and process.stdout is not None
        # A workload's forked process would hold the pipe open, and we would seem to live on in it.
        close_in_children(process.stdin.fileno())
        said = process.stdout.readline().split()
        process.wait()
        if said[:1] != ["ready"]:
            raise Unavailable("the watchdog did not start; without it a killed run ends only with its leases")
        return cls(process, int(said[1]))

    def register_process(self, pid: int, *, first: str = "KILL") -> None:
        """When we die, end this process (and not a later one of its number) with its descendants.

        ``first`` is the signal to begin with, without SIG; what is left a second later is killed.
        """
        from chaosday.processes.process_table import identity

        self._tell({"pid": pid, "started": identity(pid).started, "first": first})

    def prepare(self, fault: str, name: str, target: Target) -> None:
        """Have it ready to undo a fault of this kind on the target called ``name``: its programs loaded, the target
        reached. Both take longer than the undo, on a busy machine by far. What a target keeps secret is not told, and
        one that has secrets is not reached: each time it would count a login that failed, and may then shut us out."""
        reach = not target.holds_secrets()
        fields = target.public() if reach else {"kind": target.kind}
        self._tell({"fault": fault, "name": name, "target": fields, "reach": reach})

    def close(self) -> None:
        """All is well: let it go, and wait until it has gone; any number of times."""
        pipe, answers = self._process.stdin, self._process.stdout
        if pipe is None or answers is None or pipe.closed:
            return
        with contextlib.suppress(OSError):
            self._tell({"done": True})
        close_in_children(pipe.fileno(), forget=True)
        with contextlib.suppress(OSError):
            pipe.close()
        answers.read()
        answers.close()

    def _tell(self, message: dict[str, object]) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        with self._lock:
            pipe.write(json.dumps(message) + "\n")
            pipe.flush()


def main() -> None:
    """The watchdog's own process: leave our tree, say so, watch."""
    parser = argparse.ArgumentParser(prog="python -m chaosday.undo.watchdog", description=__doc__)
    parser.add_argument("--run", required=True)
    parser.add_argument("--journal", required=True)
    options = parser.parse_args()
    if os.fork() > 0:
        os._exit(0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    print("ready", os.getpid(), flush=True)
    _watch(options.run, Path(options.journal))


def _watch(run: str, journal: Path) -> None:
    # What healing needs is imported before it is needed: it takes longer than the healing.
    from chaosday.model.target import ProcessIdentity
    from chaosday.undo import ending, recovery  # noqa: F401
    from chaosday.undo.readiness import Readiness

    registered: dict[int, tuple[ProcessIdentity, str]] = {}
    ready = Readiness()
    for line in sys.stdin:
        with contextlib.suppress(ValueError, KeyError):
            message = json.loads(line)
            if message.get("done"):
                return
            if "fault" in message:
                ready.prepare(message["fault"], message["name"], message["target"], reach=message["reach"])
                continue
            process = ProcessIdentity(pid=message["pid"], started=message["started"])
            registered[process.pid] = (process, message["first"])
    _end_everything(run, journal, registered, ready.targets)


def _end_everything(
    run: str,
    journal_path: Path,
    registered: dict[int, tuple[ProcessIdentity, str]],
    reached: Mapping[str, Target],
) -> None:
    """Heal in parallel, give that a moment (a heal may need a process that is about to be ended), end processes."""
    from chaosday.record.journal import Journal, open_faults
    from chaosday.undo.ending import end_processes
    from chaosday.undo.undoing import Attempt

    did: list[str] = []
    journal: Journal | None = None
    with Attempt("journal"):
        journal = Journal.resume(journal_path)
    threads = []
    if journal is not None:
        for fault in open_faults(journal.reading()):
            threads.append(threading.Thread(target=_heal, args=(fault, reached, journal, did), daemon=True))
            threads[-1].start()
    for patience_s in (_HEAL_FIRST_S, _HEAL_AT_MOST_S):
        _join(threads, patience_s)
        tried = Attempt("could not end all processes")
        with tried:
            did += end_processes(run, registered)
        did += [tried.error] if tried.error else []
    if journal is not None:
        with Attempt("journal"):
            journal.append("watchdog", did=did)


def _heal(fault: OpenFault, reached: Mapping[str, Target], journal: object, did: list[str]) -> None:
    """Several tries: what dies with us (the fault proxy) may be in the middle of it and give no answer."""
    from chaosday.record.journal import Journal
    from chaosday.undo.recovery import heal_open

    assert isinstance(journal, Journal)
    for number in range(_TRIES):
        # The second time over a connection of its own: what was reached when all was well may be cut.
        ended = heal_open(fault, reached if number == 0 else {}, journal, "watchdog")
        if ended.ok:
            did.append(f"healed {ended.fault} on {ended.target}")
            return
        if ended.refused and number:
            break  # what was reached was refused, and a login of our own too: a tenth would lock an account
        time.sleep(min(2.0, 0.1 * 2**number))
    did.append(f"could not heal {ended.fault} on {ended.target}: {ended.words}")


def _join(threads: list[threading.Thread], at_most_s: float) -> None:
    until = time.monotonic() + at_most_s
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


if __name__ == "__main__":
    main()
