"""Whose a journal is: the process that opened it, and whether it is still there."""

from __future__ import annotations

import socket

from chaosday.model.target import ProcessIdentity
from chaosday.processes.process_table import boot, is_running
from chaosday.record.journal import JournalReading


def owner_lives(reading: JournalReading) -> bool:
    """Whether the process that opened the journal still runs here; another machine's is not ours to see."""
    if not made_here(reading):
        return False
    opened = reading.records[0].data
    return is_running(ProcessIdentity(pid=int(opened.get("pid", 0)), started=str(opened.get("started", ""))))


def made_here(reading: JournalReading) -> bool:
    """Whether the journal is of this machine, and of its present boot."""
    opened = reading.records[0].data if reading.records else {}
    # A start in ticks names its boot as well: journals of before had no field for it.
    booted = opened.get("boot", str(opened.get("started", "")).rpartition("@")[2])
    return opened.get("host") == socket.gethostname() and booted == boot()
