"""One act on many targets at a time: each has its own outcome, and none holds up the others."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from chaosday.errors import ChaosdayError, TargetUnreachable

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class HostOutcome(Generic[R]):
    """How the act ended on one target: a result or an error, and how long it took."""

    name: str
    seconds: float
    result: R | None = None
    error: ChaosdayError | None = None

    @property
    def ok(self) -> bool:
        return self.error is None


def fan_out(
    targets: Mapping[str, T], act: Callable[[str, T], R], *, at_once: int = 32, deadline_s: float = 60
) -> dict[str, HostOutcome[R]]:
    """Do ``act`` on every target, at most ``at_once`` at a time; an outcome for each, in the targets' order.

    A target that has given no answer after ``deadline_s`` (counted from when its own turn came) is
    ``TargetUnreachable`` and gives its place to the next one; its thread is left behind, which is why
    the threads are daemons and not a pool that would wait for it. Only ``ChaosdayError`` is an
    outcome; anything else is a defect and is raised here once the others are done.
    """
    work = _Work(targets, act)
    waiting = list(targets)
    running: dict[str, float] = {}
    outcomes: dict[str, HostOutcome[R]] = {}
    while waiting or running:
        while waiting and len(running) < max(at_once, 1):
            name = waiting.pop(0)
            running[name] = time.monotonic()
            threading.Thread(target=work.one, args=(name,), name=f"fan-out {name}", daemon=True).start()
        nearest = min(running.values()) + deadline_s - time.monotonic()
        try:
            outcome = work.done.get(timeout=max(nearest, 0))
        except queue.Empty:
            for name in [n for n, since in running.items() if time.monotonic() - since >= deadline_s]:
                late = TargetUnreachable(f"{name}: nothing within {deadline_s:g} s; what it did since is unknown")
                outcomes[name] = HostOutcome(name, time.monotonic() - running.pop(name), error=late)
        else:
            if running.pop(outcome.name, None) is not None:
                outcomes[outcome.name] = outcome
    if work.defects:
        raise work.defects[0]
    return {name: outcomes[name] for name in targets}


class _Work(Generic[T, R]):
    def __init__(self, targets: Mapping[str, T], act: Callable[[str, T], R]) -> None:
        self.targets, self.act = targets, act
        self.done: queue.SimpleQueue[HostOutcome[R]] = queue.SimpleQueue()
        self.defects: list[BaseException] = []

    def one(self, name: str) -> None:
        since = time.monotonic()
        result, error = None, None
        try:
            result = self.act(name, self.targets[name])
        except ChaosdayError as said:
            error = said
        finally:
            # A defect goes on to the thread's own hook; here it only must not leave the caller waiting.
            if defect := sys.exc_info()[1]:
                self.defects.append(defect)
            self.done.put(HostOutcome(name, time.monotonic() - since, result, error))
