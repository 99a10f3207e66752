"""The way to the peers becomes narrow."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosday.errors import UsageError
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.round_trip import Probe, RoundTrips, throughput_mbit
from chaosday.mechanisms.packets import shaper
from chaosday.mechanisms.packets.flow import Flow
from chaosday.mechanisms.packets.traffic import TrafficFault
from chaosday.model.fault import Reading
from chaosday.model.scene import Scene
from chaosday.model.target import Shell


class NetworkBandwidth(TrafficFault):
    """Let no more than ``rate_mbit`` megabits a second out to ``peers``; all else goes at full speed."""

    kind: Literal["network.bandwidth"] = "network.bandwidth"
    rate_mbit: float = Field(default=5, ge=0.05, le=10_000)
    direction: Literal["out"] = "out"

    def means(self, shell: Shell, flow: Flow, scene: Scene) -> Means:
        if flow.ports or flow.protocol not in ("any", "icmp"):
            # The reading floods echo requests, which such a filter would not touch.
            raise UsageError("network.bandwidth is limited to peers, not to ports: it is measured with echo requests")
        return shaper.build(shell, flow, scene, self.rate_mbit)

    def measure(self, shell: Shell, probe: Probe) -> tuple[Reading, int]:
        rate = throughput_mbit(shell, Probe(probe.host))
        return Reading(value=round(rate, 3), unit="Mbit/s", by=f"a window of echo requests to {probe.host}"), 1

    def reading(self, trips: RoundTrips, by: str) -> Reading:
        return Reading(value=trips.received, unit="answers", by=by)

    def bites(self, baseline: Reading, during: Reading, asked_times: int) -> tuple[bool, str]:
        hit = 0.5 * self.rate_mbit <= during.value <= 1.15 * self.rate_mbit < baseline.value
        return hit, f"asked {self.rate_mbit:g}, measured {during.value:g}, before {baseline.value:g} Mbit/s"
