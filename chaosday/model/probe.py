"""A Probe asks a target a read-only question."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from chaosday.model.base import Model
from chaosday.model.target import Target

ANSWER_S = 30.0
LONG_S = 3600.0
"""For readings of all that is there: copies, files, pages, rows."""
GRACE_S = 5.0
"""What a reading may take beyond the time-out that it was given: to connect, on a busy machine."""


class ProbeReading(Model):
    """An answer: ``healthy`` is None when there was no answer, which is never taken for health."""

    probe: str
    healthy: bool | None
    value: float | None = None
    unit: str = ""
    words: str = ""


def within(probe: str, row: Sequence[Any] | None, at_least: float | None, at_most: float | None) -> ProbeReading:
    """What a query's first row says: healthy where its first value is between the bounds, no answer without one.

    NaN and the infinities are no numbers here: without a bound each of them would be healthy.
    """
    if not row or row[0] is None:
        return ProbeReading(probe=probe, healthy=None, words="the query returned nothing")
    try:
        value = float(row[0])
    except (TypeError, ValueError, OverflowError):
        value = float("nan")
    if not isfinite(value):
        return ProbeReading(probe=probe, healthy=None, words="the query did not return a number")
    low = at_least is None or value >= at_least
    high = at_most is None or value <= at_most
    return ProbeReading(probe=probe, healthy=low and high, value=value, words=f"the query returned {value:g}")


class Probe(Model):
    """A read-only question about steady state; a Guard is a probe with a tolerance."""

    kind: str
    longest_s: ClassVar[float] = ANSWER_S
    target: str = Field(default="", description="Name of the target it asks")

    @abstractmethod
    def read(self, target: Target) -> ProbeReading:
        """Ask once; an unreachable target is ``healthy=None`` with the reason in words."""

    def limit_s(self) -> float:
        """The longest that one reading may take, whatever the target does; beyond it there is no answer.

        A probe with a field ``timeout_s`` or ``timeout_ms`` has that and a grace; any other its ``longest_s``.
        """
        own_s = getattr(self, "timeout_s", None) or getattr(self, "timeout_ms", 0) / 1000
        return float(own_s) + GRACE_S if own_s else self.longest_s

    def commands(self) -> list[str]:
        """Commands that somebody wrote into it, which it has run on the target; none, for most probes."""
        return []

    def collect(self, target: Target, scratch: Path) -> dict[str, Any]:
        """What to keep for the checks, as observations by name; ``scratch`` is a folder for copies."""
        return {self.kind: self.read(target).model_dump(mode="json")}

    def clean_up(self, target: Target) -> None:
        """Take away what reading had to make; nothing, for most probes."""
