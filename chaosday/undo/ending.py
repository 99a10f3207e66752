"""Ending the processes of a run that died: those that it registered, and those that carry its mark."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Mapping

from chaosday.errors import ChaosdayError
from chaosday.model.target import ProcessIdentity
from chaosday.processes.local_shell import RUN_MARK, LocalShell
from chaosday.processes.process_table import ProcessTable, identity, is_running, read_table
from chaosday.record.key import run_mark

_ROUNDS = 20
_PAUSE_S = 0.05


def marked(run: str) -> list[ProcessIdentity]:
    """Processes of this machine that have the run's mark in the environment they were started with.

    The real user has to be ours, or one that root may have stepped down to: a set-uid program keeps the environment of
    whoever started it, under the effective user of somebody else.
    """
    import psutil

    found, carried, we = [], run_mark(run), os.getuid()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            users = process.uids()
            ours = users.real == we or (we == 0 and users.real == users.effective)
            if ours and process.pid != os.getpid() and process.environ().get(RUN_MARK) == carried:
                found.append(identity(process.pid))
    return [process for process in found if process.started]


def end_processes(run: str, registered: Mapping[int, tuple[ProcessIdentity, str]]) -> list[str]:
    """End registered processes with their descendants, and marked ones; returns one line for each that was ended.

    ``registered`` holds identity and the signal to begin with: a database that is told to stop at once
    (SIGQUIT) takes its shared memory with it. Whatever still runs after a second is killed.
    """
    spared = _ourselves()
    ended: dict[int, str] = {}
    known = {process.pid: process for process, _ in registered.values()}
    for number in range(_ROUNDS):
        table = _table()
        gentle = number < _ROUNDS // 2
        # Once seen, a descendant stays known: when its parent has died it is nobody's descendant any more.
        known |= _descendants(table, known.values()) | {process.pid: process for process in marked(run)}
        targets = [process for pid, process in known.items() if pid not in spared and is_running(process)]
        if not targets:
            break
        for process in targets:
            chosen = registered.get(process.pid, (process, "KILL"))[1] if gentle else "KILL"
            # The children of a process that was asked to stop are its own business, for that second.
            if gentle and chosen == "KILL" and _asked(process.pid, table, registered):
                continue
            if _send(process, chosen):
                ended[process.pid] = f"ended process {process.pid} ({process.command[:60] or 'marked as of the run'})"
        time.sleep(_PAUSE_S * (2 if gentle else 1))
    return list(ended.values())


def _table() -> ProcessTable:
    try:
        return read_table(LocalShell())
    except ChaosdayError:
        return ProcessTable([])


def _descendants(table: ProcessTable, roots: Iterable[ProcessIdentity]) -> dict[int, ProcessIdentity]:
    found: dict[int, ProcessIdentity] = {}
    for root in list(roots):
        if table.find(root) is not None:
            found |= {row.pid: row.identity for row in table.tree(root.pid)}
    return found


def _asked(pid: int, table: ProcessTable, registered: Mapping[int, tuple[ProcessIdentity, str]]) -> bool:
    seen: set[int] = set()
    while pid in table.rows and pid not in seen:
        seen.add(pid)
        pid = table.rows[pid].parent
        if registered.get(pid, (None, "KILL"))[1] != "KILL":
            return True
    return False


def _send(process: ProcessIdentity, name: str) -> bool:
    if not is_running(process):
        return False
    try:
        os.kill(process.pid, getattr(signal, f"SIG{name}"))
    except OSError:
        return False
    return True


def _ourselves() -> set[int]:
    """This process and those above it: whoever cleans up must not be cleaned up."""
    table = _table()
    pid, found = os.getpid(), {os.getpid()}
    while pid in table.rows and table.rows[pid].parent not in found:
        pid = table.rows[pid].parent
        found.add(pid)
    return found
