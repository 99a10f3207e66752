"""Bytes through a proxy route arrive later."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.mechanisms.dose import overdose
from chaosday.mechanisms.proxy.route_fault import RouteFault, answer
from chaosday.model.fault import Reading
from chaosday.model.target import Route

_PROBES = 5


class ProxyLatency(RouteFault):
    """Every piece waits; a round trip over both directions waits twice."""

    kind: Literal["network.proxy.latency"] = "network.proxy.latency"
    delay_ms: float = Field(default=100, ge=0, le=60_000)
    """How long each piece waits in each direction, in milliseconds."""
    jitter_ms: float = Field(default=0, ge=0, le=60_000)
    """More or less by up to so much, evenly spread, in milliseconds; order is kept."""

    def toxic(self) -> dict[str, Any]:
        """The wait."""
        return {"kind": "latency", "delay_ms": self.delay_ms, "jitter_ms": self.jitter_ms}

    def measure(self, route: Route) -> Reading:
        """The median round trip of clients of ours, given time for what was asked."""
        return answer(route, self._patience_s, _PROBES if self.probability == 1 else 1)

    def silent(self, reading: Reading) -> bool:
        """Whether no answer came in that time."""
        return reading.value >= self._patience_s * 1000

    def bites(self, baseline: Reading, during: Reading) -> tuple[bool, str]:
        """At least half of what was asked was added, and at its least not much more."""
        asked = self.delay_ms * (2 if self.direction == "both" else 1)
        added = during.value - baseline.value
        words = f"asked {asked:g} ms a round trip; it took {baseline.value:.1f} ms and takes {during.value:.1f} ms"
        if too_much := overdose(baseline, during, asked + 2 * self.jitter_ms):
            return False, f"{words}; {too_much}"
        return asked > 0 and added >= asked / 2 and not self.silent(during), words

    @property
    def _patience_s(self) -> float:
        return self.patience_s + 4 * (self.delay_ms + self.jitter_ms) / 1000
