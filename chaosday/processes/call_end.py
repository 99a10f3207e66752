"""A thread that is let into a call of the kernel, and stands still where the call ends, before it knows of that.

Seccomp asks before a call and says nothing after it; ptrace, which is attached while the thread waits for the answer,
stops it on its way back. Nobody but the thread notices: no signal is sent, and its parent is told nothing.
https://man7.org/linux/man-pages/man2/ptrace.2.html
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable

_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_ALL = 0x40000000
_PATIENCE_S = 10.0
_LOOK_S = 0.00005


class CallEnd:
    """``begin`` lets the call go on, and returns once it is done; ``leave`` lets its thread go.

    Both are for the thread of ours that made it. ``OSError`` where the kernel lets nobody trace.
    """

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._signal = 0
        self._stands = False

    def begin(self, go: Callable[[], bool]) -> bool:
        """Whether it came to its end; False where its process has died, or the call takes longer than we wait."""
        self._ask(_SEIZE)
        # Before it goes: the wait for our answer is broken off by a deadly signal alone, so that it stops where it
        # comes back, and not some steps later.
        self._ask(_INTERRUPT, gone=True)
        if go():
            until = time.monotonic() + _PATIENCE_S
            while not self._stands and time.monotonic() < until and self._look():
                time.sleep(_LOOK_S)
        return self._stands

    def leave(self, *, still: bool = False) -> None:
        """Let it go; where it is to stand ``still`` its whole process stops before it has done one step more."""
        if still:
            _stop(self.thread)
        self._ask(_DETACH, self._signal, gone=True)
        self._stands = False

    def _look(self) -> bool:
        """Whether it is still there; sets what is true of it."""
        try:
            found = os.waitid(os.P_PID, self.thread, os.WSTOPPED | os.WNOHANG | _ALL)
        except ChildProcessError:
            return False
        if found is not None:
            self._stands = True
            # A signal that came first is handed on; a stop for our sake is none.
            self._signal = found.si_status if found.si_status < 0x100 and found.si_status != signal.SIGTRAP else 0
        return True

    def _ask(self, what: int, data: int = 0, *, gone: bool = False) -> None:
        none = ctypes.c_void_p(None)
        if self._libc.ptrace(what, self.thread, none, ctypes.c_void_p(data)) < 0 and not gone:
            number = ctypes.get_errno()
            raise OSError(number, f"nobody may trace, to see where a file's change ends: {os.strerror(number)}")


def _stop(thread: int) -> None:
    try:
        os.kill(thread, signal.SIGSTOP)
    except ProcessLookupError:
        return
