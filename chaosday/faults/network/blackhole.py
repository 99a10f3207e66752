"""Packets to chosen ports vanish: a caller hangs until its own time-out."""

from __future__ import annotations

from typing import Literal

from chaosday.errors import UsageError
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.round_trip import RoundTrips
from chaosday.mechanisms.packets import firewall
from chaosday.mechanisms.packets.flow import Direction, Flow
from chaosday.mechanisms.packets.traffic import TrafficFault
from chaosday.model.fault import Reading
from chaosday.model.scene import Scene
from chaosday.model.target import Shell


class NetworkBlackhole(TrafficFault):
    """Drop silently what goes to a service, by ``ports`` or ``peers``; by default on its way out.

    A blackhole route would not do: the kernel answers EINVAL at once, which no caller meets in life.
    """

    kind: Literal["network.blackhole"] = "network.blackhole"
    direction: Direction = "out"

    def means(self, shell: Shell, flow: Flow, scene: Scene) -> Means:
        if not flow.peers and not flow.ports:
            raise UsageError("a blackhole needs ports or peers; cutting a host off altogether is network.partition")
        ways = ("in", "out") if self.direction == "both" else (self.direction,)
        return firewall.silently(shell, flow, scene, dict.fromkeys(ways, "drop"))

    def reading(self, trips: RoundTrips, by: str) -> Reading:
        return Reading(
            value=100 * (trips.sent - trips.received - trips.refused) / trips.sent, unit="% unanswered", by=by
        )

    def bites(self, baseline: Reading, during: Reading, asked_times: int) -> tuple[bool, str]:
        words = f"{baseline.value:g} {baseline.unit} before, {during.value:g} % of {asked_times} during"
        return during.value == 100 and baseline.value < 100, words

    def probe_count(self) -> int:
        return 3  # each one that hangs costs a second
