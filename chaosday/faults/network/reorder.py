"""Packets overtake each other."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

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


class NetworkReorder(TrafficFault):
    """Delay every packet by ``delay_ms`` except ``percent`` of them, which overtake the others."""

    kind: Literal["network.reorder"] = "network.reorder"
    percent: float = Field(default=25, gt=0, lt=100)
    delay_ms: float = Field(default=20, gt=0, le=10_000)
    direction: Literal["either", "in", "out"] = "either"  # type: ignore[assignment]

    probe_gap_s = 0.002

    def probe_count(self) -> int:
        return 200

    def means(self, shell: Shell, flow: Flow, scene: Scene) -> Means:
        if self.direction != "in" and shaper.has_netem(shell):
            netem = f"limit 100000 delay {self.delay_ms:g}ms reorder {self.percent:g}%"
            return shaper.build(shell, flow, scene, WIDE_MBIT, netem)
        harm = Harm(delay_ms=self.delay_ms, reorder_percent=self.percent)
        return packet_queue.build(shell, flow, scene, harm, ["out" if self.direction == "out" else "in"])

    def reading(self, trips: RoundTrips, by: str) -> Reading:
        return Reading(value=round(100 * trips.reordered / max(trips.received, 1), 3), unit="% overtaken", by=by)

    def bites(self, baseline: Reading, during: Reading, asked_times: int) -> tuple[bool, str]:
        # Each overtaker, or each run of them, makes one packet come before an earlier one.
        share = self.percent / 100
        expected = 100 * share * (1 - share)
        words = f"asked {self.percent:g} % of overtakers, about {expected:.3g} % steps back expected, "
        return during.value > max(expected / 2, 3 * baseline.value), f"{words}measured {during.value:.3g} %"
