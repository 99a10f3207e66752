"""Packets arrive twice."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.round_trip import RoundTrips
from chaosday.mechanisms.packets import packet_queue, shaper
from chaosday.mechanisms.packets.flow import Flow
from chaosday.mechanisms.packets.packet_queue import Harm
from chaosday.mechanisms.packets.shares import agrees
from chaosday.mechanisms.packets.traffic import TrafficFault
from chaosday.model.fault import Reading
from chaosday.model.scene import Scene
from chaosday.model.target import Shell

WIDE_MBIT = 40_000


class NetworkDuplicate(TrafficFault):
    """Send ``percent`` of the packets on their way out a second time."""

    kind: Literal["network.duplicate"] = "network.duplicate"
    percent: float = Field(default=10, gt=0, le=100)
    direction: Literal["out"] = "out"

    probe_gap_s = 0.002

    def probe_count(self) -> int:
        return int(min(2000, max(200, 4000 / self.percent)))

    def means(self, shell: Shell, flow: Flow, scene: Scene) -> Means:
        if shaper.has_netem(shell):
            return shaper.build(shell, flow, scene, WIDE_MBIT, f"limit 100000 duplicate {self.percent:g}%")
        return packet_queue.build(shell, flow, scene, Harm(duplicate_percent=self.percent), ["out"])

    def reading(self, trips: RoundTrips, by: str) -> Reading:
        return Reading(value=round(100 * trips.duplicates / max(trips.received, 1), 4), unit="% doubled", by=by)

    def bites(self, baseline: Reading, during: Reading, asked_times: int) -> tuple[bool, str]:
        return agrees(self.percent, baseline, during, asked_times)
