"""Asking a probe so that it always answers: within its limit, without raising, in a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chaosday.errors import ChaosdayError
from chaosday.model.probe import Probe, ProbeReading
from chaosday.model.target import Target
from chaosday.processes.limits.within import Underway, in_a_line, within

REACH_S = 60.0
WORDS = 500
"""What a target says goes into journal and report, so much of it."""


class Reader:
    """Reads one probe again and again; whatever the target, or a library on the way, does is an answer or none.

    A reading that outlasts its limit is left behind, and is not asked a second time while it still hangs: a target
    that is silent holds one thread and no more.
    """

    def __init__(self, probe: Probe, target: Target) -> None:
        self._probe, self._target = probe, target
        self._late: Underway[ProbeReading] | None = None

    def read(self, limit_s: float = float("inf")) -> ProbeReading:
        """One reading, after ``limit_s`` at most, or the probe's own limit; no answer is ``healthy=None``."""
        limit_s = min(limit_s, self._probe.limit_s())
        if self._late is not None and not self._late.ended(limit_s):
            return self._silent(f"still no answer, {limit_s:g} s later")
        self._late = None
        asked = Underway(lambda: self._probe.read(self._target))
        if not asked.ended(limit_s):
            self._late = asked
            return self._silent(f"no answer within {limit_s:g} s")
        return self._judged(asked)

    def _judged(self, asked: Underway[ProbeReading]) -> ProbeReading:
        said = asked.outcome()
        if isinstance(said, BaseException):
            return self._silent(str(said) if isinstance(said, ChaosdayError) else f"no reading: {in_a_line(said)}")
        return said.model_copy(update={"words": _short(said.words)})

    def _silent(self, words: str) -> ProbeReading:
        return ProbeReading(probe=self._probe.kind, healthy=None, words=_short(words))


def asked(probe: Probe, target: Target) -> ProbeReading:
    """One reading, within the probe's limit; never raises."""
    return Reader(probe, target).read()


def reached(target: Target) -> str:
    """What answered; ``TargetUnreachable`` or ``AccessDenied`` within ``REACH_S``."""
    return within(REACH_S, target.reach, f"asking a {target.kind} target who it is")[:WORDS]


def collected(probe: Probe, target: Target, scratch: Path) -> dict[str, Any]:
    """What it keeps for the checks, within its limit; ``TargetUnreachable`` where that is not to be had."""
    return within(probe.limit_s(), lambda: probe.collect(target, scratch), f"{probe.kind} on {probe.target}")


def _short(words: str) -> str:
    return words if len(words) <= WORDS else f"{words[:WORDS]}..."
