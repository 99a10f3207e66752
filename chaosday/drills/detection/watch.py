"""Monitors read side by side, and when each first said that something is wrong."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from chaosday.clock import Clock
from chaosday.drills.detection.drill import Monitor
from chaosday.model.base import Model
from chaosday.model.probe import ProbeReading
from chaosday.model.target import Target
from chaosday.safety.reading import Reader


class Notice(Model):
    """What one monitor made of one kind of damage; ``after_s`` is None where it noticed nothing.

    ``silent`` counts readings without an answer: a monitor that gives none notices nothing, and is not quiet either.
    """

    monitor: str
    after_s: float | None = None
    readings: int = 0
    silent: int = 0
    words: str = ""


class Watch:
    """Reads every monitor until stopped, each in a thread of its own, so that a slow one delays only itself."""

    def __init__(
        self, monitors: Sequence[Monitor], targets: Mapping[str, Target], clock: Clock, every_s: float
    ) -> None:
        self._clock, self._every_s = clock, every_s
        self._began_ns = clock.monotonic_ns()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._notices = {monitor.name: Notice(monitor=monitor.name) for monitor in monitors}
        self._threads = [
            threading.Thread(target=self._read, args=(monitor, targets[monitor.probe.target]), daemon=True)
            for monitor in monitors
        ]
        for thread in self._threads:
            thread.start()

    def heard(self) -> bool:
        """Whether each has answered once, whatever it said."""
        with self._lock:
            return all(notice.readings for notice in self._notices.values())

    def noticed(self) -> int:
        """How many have noticed by now."""
        with self._lock:
            return sum(notice.after_s is not None for notice in self._notices.values())

    def stop(self, grace_s: float = 60) -> list[Notice]:
        """No further readings; one that is under way may end."""
        self._stop.set()
        for thread in self._threads:
            thread.join(grace_s)
        with self._lock:
            return list(self._notices.values())

    def _read(self, monitor: Monitor, target: Target) -> None:
        reader = Reader(monitor.probe, target)
        while not self._stop.is_set():
            asked_ns = self._clock.monotonic_ns()
            self._note(monitor.name, reader.read())
            taken_s = (self._clock.monotonic_ns() - asked_ns) / 1e9
            self._stop.wait(max(0.0, self._every_s - taken_s))

    def _note(self, name: str, reading: ProbeReading) -> None:
        with self._lock:
            before = self._notices[name]
            first = reading.healthy is False and before.after_s is None
            after_s = (self._clock.monotonic_ns() - self._began_ns) / 1e9 if first else before.after_s
            self._notices[name] = before.model_copy(
                update={
                    "after_s": after_s,
                    "readings": before.readings + 1,
                    "silent": before.silent + (reading.healthy is None),
                    "words": reading.words if first or before.after_s is None else before.words,
                }
            )
