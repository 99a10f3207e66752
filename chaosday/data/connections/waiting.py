"""Waiting for a server aloud: within seconds it is said what is waited for, and silence has an end.

A statement may rightly take hours and send nothing meanwhile, so time alone proves nothing. A second
connection asks the server what the first one is doing: a lock that it waits for is told by name, an
answer of any kind shows that the server lives, and one that gives none for ``silence_s`` is cut off.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chaosday import progress
from chaosday.errors import ChaosdayError, TargetUnreachable, UsageError

QUIET_S = 1.5
"""A statement that has sent nothing for so long is asked about."""
UNANSWERED_S = 2.0
"""So long without an answer to that question, and it is said that there is none."""
TICK_S = 0.5
MOST_BETWEEN_S = 10.0
CONNECT_S = 10
"""Seconds that a server has to take a connection and log us in."""


@dataclass(frozen=True)
class Patience:
    """How long a check waits: for a lock that somebody else holds, and for a server that says nothing at all."""

    lock_timeout_s: float = 60.0
    silence_s: float = 60.0

    def __post_init__(self) -> None:
        if not (0 < self.lock_timeout_s < 1e6 and 0 < self.silence_s < 1e6):
            raise UsageError("a lock timeout is a number of seconds above zero")


class Waiting:
    """The thread beside one connection; ``statement`` is entered for each wait, ``heard`` called for each answer.

    ``inquire`` asks the server over another connection and gives what is waited for, or nothing where the
    server is at work. ``cut`` ends the first connection under its client, whose error ``silent`` explains.
    """

    def __init__(self, label: str, inquire: Callable[[], str], cut: Callable[[], None], patience: Patience) -> None:
        self.label = label
        self.silent = False
        self._inquire = inquire
        self._cut = cut
        self._patience = patience
        self._waiting = False
        self._beats = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"waiting for the {label} side", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def statement(self) -> Iterator[None]:
        """Inside, the server is waited for."""
        self._beats += 1
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False

    def heard(self) -> None:
        """The server has sent something; cheap enough for every row."""
        self._beats += 1

    def close(self) -> None:
        """End the thread."""
        self._done.set()

    def explained(self) -> TargetUnreachable:
        """What to say of a connection that was cut."""
        return TargetUnreachable(
            f"the {self.label} side logged us in and has been silent for {self._patience.silence_s:.0f} s: "
            "check that the server is not stopped or cut off"
        )

    def _watch(self) -> None:
        beats, since, answered, said = -1, 0.0, 0.0, ""
        inquiry: _Inquiry | None = None
        while not self._done.wait(TICK_S):
            now = time.monotonic()
            if beats != self._beats or not self._waiting:
                beats, since, answered, said, inquiry = self._beats, now, now, "", None
                continue
            # Asked more and more seldom: a statement of an hour does not open a thousand connections.
            if now - since >= QUIET_S and (
                inquiry is None or (inquiry.ended and now - inquiry.began > min(MOST_BETWEEN_S, (now - since) / 2))
            ):
                inquiry = _Inquiry(self._inquire, now)
            if inquiry is None:
                continue
            words = inquiry.words
            if words is not None:
                answered = now
            elif inquiry.ended or now - inquiry.began > UNANSWERED_S:
                words = "an answer: the server says nothing"
            if words and words != said:
                said = words
                progress.say(progress.Step("", "verify", f"waiting: the {self.label} side waits for {words}"))
            if now - answered > self._patience.silence_s:
                self.silent = True
                self._cut()
                return


class _Inquiry:
    """A question that may never be answered, asked by a thread of its own; ``words`` is its answer."""

    def __init__(self, ask: Callable[[], str], began: float) -> None:
        self.words: str | None = None
        self.began = began
        self._thread = threading.Thread(target=self._run, args=(ask,), daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether it has an answer or failed."""
        return not self._thread.is_alive()

    def _run(self, ask: Callable[[], str]) -> None:
        with contextlib.suppress(ChaosdayError):
            self.words = ask()
