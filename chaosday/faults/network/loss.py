"""Packets are lost, each by itself or in bursts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.round_trip import RoundTrips
from chaosday.mechanisms.packets import firewall, packet_queue
from chaosday.mechanisms.packets.flow import Flow
from chaosday.mechanisms.packets.packet_queue import Harm
from chaosday.mechanisms.packets.shares import agrees
from chaosday.mechanisms.packets.traffic import TrafficFault
from chaosday.model.fault import Reading
from chaosday.model.scene import Scene
from chaosday.model.target import Shell


class NetworkLoss(TrafficFault):
    """Lose ``percent`` of the packets; with ``burst_packets`` above 1, in bursts of that mean length.

    Bursts follow the Gilbert model (Gilbert 1960; the loss state of Elliott's loses everything): the
    mean stay in the losing state is ``burst_packets`` and its share is ``percent``.
    """

    kind: Literal["network.loss"] = "network.loss"
    percent: float = Field(default=10, gt=0, le=100)
    burst_packets: float = Field(default=1, ge=1, le=1000)

    probe_gap_s = 0.002

    @property
    def expected(self) -> float:
        """The share of round trips that fails; both ways lose independently."""
        lost = self.percent / 100
        return 1 - (1 - lost) ** 2 if self.direction == "both" else lost

    def probe_count(self) -> int:
        return int(min(2000, max(200, 40 * self.burst_packets / self.expected)))

    def means(self, shell: Shell, flow: Flow, scene: Scene) -> Means:
        ways = ("in", "out") if self.direction == "both" else (self.direction,)
        if self.burst_packets > 1:
            harm = Harm(loss_percent=self.percent, burst_packets=self.burst_packets)
            return packet_queue.build(shell, flow, scene, harm, ways)
        share = f"numgen random mod 1000000 < {round(self.percent * 10_000)} " if self.percent < 100 else ""
        return firewall.silently(shell, flow, scene, dict.fromkeys(ways, f"{share}drop"))

    def reading(self, trips: RoundTrips, by: str) -> Reading:
        return Reading(value=round(trips.loss_percent, 4), unit="% lost", by=by)

    def bites(self, baseline: Reading, during: Reading, asked_times: int) -> tuple[bool, str]:
        # Losses within a burst are not independent draws: count bursts, not packets.
        return agrees(100 * self.expected, baseline, during, asked_times / (2 * self.burst_packets - 1))
