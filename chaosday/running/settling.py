"""The settle phase: nothing is judged before the system answers again, several times in a row."""

from __future__ import annotations

from chaosday.clock import Clock
from chaosday.model.base import Model
from chaosday.model.experiment import Settle
from chaosday.model.probe import Probe
from chaosday.model.target import Target
from chaosday.safety.reading import Reader

LEAST_S = 1.0
"""What is left to the last reading of all."""


class Settled(Model):
    """Whether and after how long the probe answered ``successes`` times in a row."""

    settled: bool
    after_s: float
    attempts: int
    words: str = ""


def settled(settle: Settle, probe: Probe, target: Target, clock: Clock) -> Settled:
    """Ask until it holds or the time-out is over."""
    began_ns, run, attempts, words, after_s = clock.monotonic_ns(), 0, 0, "", 0.0
    reader = Reader(probe, target)
    while True:
        reading = reader.read(max(LEAST_S, settle.timeout_s - after_s))
        attempts += 1
        run = run + 1 if reading.healthy is True else 0
        words = reading.words
        after_s = (clock.monotonic_ns() - began_ns) / 1e9
        if run >= settle.successes:
            return Settled(settled=True, after_s=after_s, attempts=attempts, words=words)
        if after_s > settle.timeout_s:
            return Settled(settled=False, after_s=after_s, attempts=attempts, words=words)
        clock.sleep(settle.every_s)
