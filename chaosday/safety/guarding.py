"""Guards: probes that stop a run. No answer counts as a breach, and so does a guard that is no more."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence

from chaosday.model.experiment import Guard
from chaosday.model.target import Target
from chaosday.safety.reading import Reader


class Guarding:
    """Reads every guard in a thread of its own until stopped; ``tripped`` is set at the first breach of k out of n."""

    def __init__(self, guards: Sequence[Guard], targets: Mapping[str, Target]) -> None:
        self.tripped = threading.Event()
        self.why = ""
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(guard, targets[guard.probe.target]), daemon=True)
            for guard in guards
        ]

    def start(self) -> None:
        """Begin reading."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop reading; any number of times. One that hangs is left behind."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(5)

    def blind(self) -> str:
        """Why nobody looks any more, empty while every guard that was started is at work: asked by whoever relies on
        them, because what has ended cannot say so."""
        gone = any(thread.ident is not None and not thread.is_alive() for thread in self._threads)
        if gone and not self._stop.is_set() and not self.tripped.is_set():
            return "a guard ended by itself, and nobody looks in its place"
        return ""

    def _watch(self, guard: Guard, target: Target) -> None:
        reader, recent = Reader(guard.probe, target), deque[bool](maxlen=guard.window)
        while not self._stop.is_set():
            reading = reader.read()
            recent.append(reading.healthy is not True)
            if sum(recent) >= guard.breaches:
                self.why = (
                    f"guard {guard.probe.kind} on {guard.probe.target}: {sum(recent)} breaches in the last "
                    f"{len(recent)} readings; the last said: {reading.words}"
                )
                self.tripped.set()
                return
            self._stop.wait(guard.every_s)
