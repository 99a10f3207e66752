"""Finding what a dead program left behind, without asking it or its journal."""

from __future__ import annotations

import time

import psutil

ENOUGH_S = 120


def processes_of(mark: str) -> list[psutil.Process]:
    """Processes whose arguments, environment or working directory hold ``mark``, a path or name that nobody else uses.

    The working directory, because PostgreSQL's children write their titles over arguments and environment.
    """
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            seen = " ".join([*process.cmdline(), *(f"{k}={v}" for k, v in process.environ().items()), process.cwd()])
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if mark in seen:
            found.append(process)
    return found


def listening_ports_of(mark: str) -> list[int]:
    """TCP ports on which one of them listens."""
    ports = []
    for process in processes_of(mark):
        try:
            ports += [c.laddr.port for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return ports


def seconds_until_gone(mark: str, at_most_s: float = ENOUGH_S) -> float | None:
    """How long it takes until nothing is left; None if something still is after ``at_most_s``."""
    began = time.monotonic()
    while processes_of(mark):
        if time.monotonic() - began > at_most_s:
            return None
        time.sleep(0.1)
    return time.monotonic() - began
