"""Locks that one process holds at a time: waited for with a bound, and with a word to whoever waits."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable

LOOK_S = 0.05


def taken_in_turn(descriptor: int, limit_s: float, waiting: Callable[[], None], *, silent_s: float = 0) -> bool:
    """Take the lock of an open file, also where another process has it; False where that lasts longer than ``limit_s``.

    ``waiting`` is called once, after ``silent_s`` in vain. The lock goes with the descriptor, however its process ends.
    """
    began, told = time.monotonic(), False
    while not _taken(descriptor):
        waited_s = time.monotonic() - began
        if waited_s > limit_s:
            return False
        if waited_s >= silent_s and not told:
            waiting()
            told = True
        time.sleep(LOOK_S)
    return True


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
