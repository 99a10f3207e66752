"""Which side takes writes, looked at all the time: two that do at once are seen, and not assumed away."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaosday.clock import Clock
from chaosday.model.probe import Probe
from chaosday.model.target import Target
from chaosday.safety.reading import Reader

SPLITS_KEPT = 1000
JOIN_S = 60.0


@dataclass
class Side:
    """What one side said: how often, and since when it has taken writes without a break."""

    name: str
    looks: int = 0
    answered: int = 0
    open: bool | None = None
    words: str = ""
    first_ns: int = 0
    """When the first write of the unbroken series was acknowledged."""
    took: list[tuple[str, int, int]] = field(default_factory=list)
    """Whose, asked and acknowledged: the writes of others since this side's last."""


class Sides:
    """Asks every side, each in a thread of its own, until stopped.

    Two sides take writes at once where one acknowledged a write before and one after a write of the other's, and
    was never seen closed in between: no clock of theirs is asked, and no reading stands for longer than it took.
    """

    def __init__(self, probes: Sequence[Probe], targets: Mapping[str, Target], clock: Clock, every_s: float) -> None:
        self._clock, self._every_s = clock, every_s
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._sides = {probe.target: Side(probe.target) for probe in probes}
        self._splits: list[dict[str, Any]] = []
        self.splits = 0
        self._threads = [
            threading.Thread(target=self._watch, args=(probe, targets[probe.target]), daemon=True) for probe in probes
        ]
        for thread in self._threads:
            thread.start()

    def open(self) -> list[str]:
        """Which sides took a write when they were asked last."""
        with self._lock:
            return [side.name for side in self._sides.values() if side.open]

    def said(self) -> dict[str, Any]:
        """For the evidence: looks and answers of each side, and every time when two took writes at once."""
        with self._lock:
            sides = {
                name: {"looks": side.looks, "answered": side.answered, "open": side.open, "words": side.words}
                for name, side in self._sides.items()
            }
            return {"sides": sides, "split": list(self._splits), "splits": self.splits}

    def looks(self) -> dict[str, int]:
        """How often each was looked at so far."""
        with self._lock:
            return {name: side.looks for name, side in self._sides.items()}

    def answers(self) -> dict[str, int]:
        """How often each has answered so far."""
        with self._lock:
            return {name: side.answered for name, side in self._sides.items()}

    def stop(self) -> None:
        """No further looks; any number of times."""
        self._stop.set()
        for thread in self._threads:
            thread.join(JOIN_S)

    def note(self, name: str, asked_ns: int, ended_ns: int, healthy: bool | None, words: str = "") -> None:
        """One look at one side."""
        with self._lock:
            side = self._sides[name]
            side.looks, side.answered = side.looks + 1, side.answered + (healthy is not None)
            was_open, side.open, side.words = side.open, healthy, words
            if not healthy:
                side.took.clear()
                return
            if was_open:
                self._compare(side, asked_ns)
            else:
                side.first_ns = ended_ns
            side.took.clear()
            for other in self._sides.values():
                if other is not side and other.open:
                    other.took.append((name, asked_ns, ended_ns))

    def _compare(self, side: Side, asked_ns: int) -> None:
        for other, began_ns, ended_ns in side.took:
            if side.first_ns <= began_ns and ended_ns <= asked_ns:
                self.splits += 1
                if len(self._splits) < SPLITS_KEPT:
                    self._splits.append({"sides": sorted([side.name, other]), "at_ns": began_ns})

    def _watch(self, probe: Probe, target: Target) -> None:
        reader = Reader(probe, target)
        while not self._stop.is_set():
            asked_ns = self._clock.monotonic_ns()
            reading = reader.read()
            ended_ns = self._clock.monotonic_ns()
            self.note(probe.target, asked_ns, ended_ns, reading.healthy, reading.words)
            self._stop.wait(max(0.0, self._every_s - (ended_ns - asked_ns) / 1e9))
