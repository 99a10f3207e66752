"""Packets arrive late."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosday.errors import UsageError
from chaosday.mechanisms.dose import overdose
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.round_trip import RoundTrips
from chaosday.mechanisms.packets import packet_queue, shaper
from chaosday.mechanisms.packets.flow import Flow
from chaosday.mechanisms.packets.packet_queue import Harm
from chaosday.mechanisms.packets.traffic import TrafficFault
from chaosday.model.fault import Reading
from chaosday.model.scene import Scene
from chaosday.model.target import Shell

WIDE_MBIT = 40_000


class NetworkLatency(TrafficFault):
    """Add ``delay_ms`` to every round trip, give or take ``jitter_ms``; with jitter, packets overtake each other.

    ``correlation_percent`` is how much a packet's jitter follows the one before it.
    """

    kind: Literal["network.latency"] = "network.latency"
    delay_ms: float = Field(default=100, gt=0, le=60_000)
    jitter_ms: float = Field(default=0, ge=0, le=60_000)
    correlation_percent: float = Field(default=0, ge=0, lt=100)
    distribution: Literal["normal", "uniform", "pareto"] = "normal"
    direction: Literal["either", "in", "out"] = "either"  # type: ignore[assignment]
    """Where the delay sits; "either" is on the way out with netem and on the way in without."""

    def means(self, shell: Shell, flow: Flow, scene: Scene) -> Means:
        if self.direction != "in" and self.distribution != "uniform" and shaper.has_netem(shell):
            return shaper.build(shell, flow, scene, WIDE_MBIT, self._netem)
        harm = Harm(
            delay_ms=self.delay_ms / scene.passes,
            jitter_ms=self.jitter_ms / scene.passes,
            correlation_percent=self.correlation_percent,
            distribution=self.distribution,
        )
        return packet_queue.build(shell, flow, scene, harm, ["out" if self.direction == "out" else "in"])

    def _netem(self, passes: int) -> str:
        """What a round trip adds is what was asked, though it passes an interface twice."""
        spread = f" {self.jitter_ms / passes:g}ms {self.correlation_percent:g}%" if self.jitter_ms else ""
        shape = f" distribution {self.distribution}" if self.jitter_ms else ""
        return f"limit 100000 delay {self.delay_ms / passes:g}ms{spread}{shape}"

    def reading(self, trips: RoundTrips, by: str) -> Reading:
        if not trips.received:
            raise UsageError(f"no answer at all from {by}; choose a probe that answers")
        return Reading(value=round(trips.median_ms, 3), least=round(trips.least_ms, 3), unit="ms", by=by)

    def bites(self, baseline: Reading, during: Reading, asked_times: int) -> tuple[bool, str]:
        added = during.value - baseline.value
        # Jitter is cut off at no delay, and the median of few packets strays: a wider margin then.
        least = 0.9 * self.delay_ms if self.jitter_ms < self.delay_ms / 4 else 0.5 * self.delay_ms
        words = f"asked {self.delay_ms:g} ms, added {added:.4g} ms to {baseline.value:.4g} ms"
        if too_much := overdose(baseline, during, self.delay_ms + self.jitter_ms):
            return False, f"{words}; {too_much}"
        return added >= least, words
