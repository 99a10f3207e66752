"""Clients of a store under faults: reconnecting, paced, recorded, and honest about how each operation ended."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chaosday.clients.pacing import paced
from chaosday.errors import ChaosdayError
from chaosday.model.history import STATUSES
from chaosday.model.store import NoEffect, Options, Session, Store, Unanswered
from chaosday.model.workload import Stop
from chaosday.processes.limits.within import GARBLED
from chaosday.record.recorder import Recorder

OK, FAILED, UNKNOWN = STATUSES
RECONNECT_S = (0.02, 0.3)
LAST_WORDS_S = 20.0


@dataclass(frozen=True)
class Asking:
    """How a group of clients asks; ``rate_per_s`` is over all of them, 0 is as fast as it goes."""

    store: Store
    space: str
    directory: Path
    clients: int
    rate_per_s: float
    timeout_s: float
    seed: int
    options: Options = field(default_factory=dict)
    elsewhere: Options = field(default_factory=dict)
    """What is different for readers: where they ask, how they read."""
    readers: int = 0
    """How many of the clients, the last ones, only read."""

    def options_of(self, process: int) -> Options:
        """The options of one client."""
        told = {**self.options, **(self.elsewhere if self.reads_only(process) else {})}
        return {name: each[process % len(each)] if isinstance(each, list) else each for name, each in told.items()}

    def reads_only(self, process: int) -> bool:
        """Whether a client is one of the readers."""
        return self.clients - self.readers <= process < self.clients


class Asker(threading.Thread):
    """One logical process: one session, one operation at a time, a recorder and a generator of its own."""

    def __init__(self, asking: Asking, process: int, stop: Stop) -> None:
        super().__init__(name=f"asker-{process}", daemon=True)
        self.process = process
        self.reads_only = asking.reads_only(process)
        self.rng = np.random.default_rng([asking.seed, process])
        self.recorder = Recorder(asking.directory, process)
        self._asking = asking
        self._stopping = stop
        self._session: Session | None = None
        self._step: Callable[[Asker], None] = lambda _: None

    def drive(self, step: Callable[[Asker], None]) -> None:
        """Call ``step`` over and over, from now on, until the stop."""
        self._step = step
        self.start()

    def run(self) -> None:
        asking = self._asking
        interval_s = asking.clients / asking.rate_per_s if asking.rate_per_s else 0.0
        for _ in paced(self._stopping, self.rng, interval_s):
            if self.connected():
                self._step(self)
            else:
                self._stopping.wait(float(self.rng.uniform(*RECONNECT_S)))
        self.disconnect()

    def attempt(self, f: str, key: Any = None, value: Any = None) -> tuple[bool, Any]:
        """Ask one operation and record how it ended; whether it was acknowledged, and its result."""
        assert self._session is not None
        index = self.recorder.invoke(f, key, value)
        try:
            result = self._session.ask(f, key, value)
        except NoEffect as error:
            self.recorder.end(index, FAILED, None, _line(error))
            return False, None
        # What a library makes of an answer that is none says nothing about the operation.
        except (Unanswered, ChaosdayError, OSError, *GARBLED) as error:
            self.recorder.end(index, UNKNOWN, None, _line(error))
            self.disconnect()
            return False, None
        self.recorder.end(index, OK, result)
        return True, result

    def connected(self) -> bool:
        """Whether there is a session, made now if there was none."""
        if self._session is None:
            asking = self._asking
            try:
                options = asking.options_of(self.process)
                self._session = asking.store.session(asking.space, asking.timeout_s, options)
            except (ChaosdayError, OSError, *GARBLED):
                return False
        return True

    def disconnect(self) -> None:
        """Let go of the session, if there is one."""
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(ChaosdayError, OSError, *GARBLED):
                session.close()


def run_askers(asking: Asking, stop: Stop, step_for: Callable[[Asker], Callable[[Asker], None]]) -> None:
    """Run the clients until ``stop``; one that is stuck then is left behind, and its last operation is unknown."""
    group = [Asker(asking, number, stop) for number in range(asking.clients)]
    for asker in group:
        asker.drive(step_for(asker))
    while not stop.wait(0.1):
        pass
    deadline = time.monotonic() + 1
    for asker in group:
        asker.join(max(0.0, deadline - time.monotonic()))


def last_word(asking: Asking, f: str) -> None:
    """After all others have ended: one client more that asks ``f`` until it is answered, for some seconds.

    A read of a whole set, or the drain of a queue, is what its elements are accounted for by.
    """
    asker = Asker(asking, asking.clients, threading.Event())
    until = time.monotonic() + LAST_WORDS_S
    asked = False
    while time.monotonic() < until:
        if asker.connected():
            asked = True
            if asker.attempt(f)[0]:
                break
        time.sleep(0.1)
    if not asked:
        # A history without it would look as if nobody had ever wanted to know.
        asker.recorder.end(asker.recorder.invoke(f), FAILED, None, f"not reached for {LAST_WORDS_S:g} s")
    asker.disconnect()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
