"""Ctrl-C, SIGTERM and SIGHUP end a run in one and the same way."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def words_of(number: int) -> str:
    """What a signal did to the run."""
    return f"stopped by {signal.Signals(number).name}"


class Stopped(KeyboardInterrupt):
    """Somebody asked the run to stop; ``number`` is the signal's, ``exit_code`` what a shell expects."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(words_of(number))

    @property
    def exit_code(self) -> int:
        """128 and the signal's number."""
        return 128 + self.number


class StopSignals:
    """Turns the first stopping signal into ``Stopped`` in the main thread; while shielded it only remembers it."""

    def __init__(self) -> None:
        self.received: int = 0
        self._shields = 0
        self._raised = False

    @contextlib.contextmanager
    def handled(self) -> Iterator[StopSignals]:
        """Handle signals within the block, and put the old handlers back; outside the main thread do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        # Whoever started us under nohup wants us to outlive the terminal.
        heard = [n for n in STOPPING if n != signal.SIGHUP or signal.getsignal(n) is not signal.SIG_IGN]
        before = {number: signal.getsignal(number) for number in heard}
        for number in heard:
            signal.signal(number, self._handle)
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    @contextlib.contextmanager
    def shielded(self) -> Iterator[None]:
        """Let the block come to its end; a signal that came in meanwhile is raised after it."""
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
        self._raise()

    def taken(self) -> int:
        """The number of a signal that was received, else 0; whoever asks sees to it, and nothing is raised any more."""
        self._raised = self._raised or bool(self.received)
        return self.received

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Only remember signals within the block, but where it is ``interruptible``; raises nothing at its end.

        For a run between two of its verbs: whoever calls them must not see a signal in the middle of their own work.
        """
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within ``held``: a signal that comes now, or came before, ends the block at once."""
        self._shields -= 1
        try:
            self._raise()
            yield
        finally:
            self._shields += 1

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # The first one counts: the second Ctrl-C of an impatient person must not cut the undo of the first.
        self.received = self.received or number
        self._raise()

    def _raise(self) -> None:
        if self.received and not self._raised and not self._shields:
            self._raised = True
            raise Stopped(self.received)
