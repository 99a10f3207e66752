"""Progress, for whoever wants to show it: the kernel says what it does, and never draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

PHASES = ("preflight", "baseline", "inject", "observe", "rollback", "verify", "prove", "report")


@dataclass(frozen=True)
class Step:
    """One thing a run says about itself: ``done`` of ``total`` in the phase, 0 of 0 where nobody can know."""

    run: str
    phase: str
    words: str
    done: float = 0
    total: float = 0
    acknowledged_per_s: float = 0
    """What the workload gets done at the moment."""


Listener = Callable[[Step], None]
_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hear every step of every run in this process."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def say(step: Step) -> None:
    """Tell the listeners."""
    for listener in list(_listeners):
        listener(step)
