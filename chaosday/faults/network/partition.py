"""Nothing passes between the target and its peers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosday.errors import UsageError
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.round_trip import RoundTrips
from chaosday.mechanisms.hosts.tools import ask
from chaosday.mechanisms.packets import firewall
from chaosday.mechanisms.packets.flow import Flow, checked
from chaosday.mechanisms.packets.partition_shape import Shape, cut_off
from chaosday.mechanisms.packets.traffic import TrafficFault
from chaosday.model.fault import Reading
from chaosday.model.scene import Scene
from chaosday.model.target import Shell, Target


class NetworkPartition(TrafficFault):
    """Cut the target off from ``peers``, or from its part of ``members`` by a shape.

    With ``members`` and ``shape``, one and the same fault is put on every host of the set: each finds
    itself among the members by its own addresses and cuts its side. ``direction`` "in" or "out" makes
    the cut one way only.
    """

    kind: Literal["network.partition"] = "network.partition"
    members: list[str] = Field(default=[], description="Every address of the set, in its order")
    shape: Shape = "isolate"

    def flow(self, target: Target) -> Flow:
        if not self.members:
            return checked(self.peers, self.ports, self.protocol)
        own = ask(target.capability(Shell), {"own": 'ip -o addr show | awk \'{sub("/.*","",$4); print $4}\''})["own"]
        mine = [member for member in self.members if member in own.split()]
        if not mine:
            raise UsageError(f"the target has none of the addresses {', '.join(self.members)}")
        return checked(cut_off(self.members, mine[0], self.shape), self.ports, self.protocol)

    def means(self, shell: Shell, flow: Flow, scene: Scene) -> Means:
        if not flow.peers:
            raise UsageError("a partition needs peers, or members with a shape that cuts this host off from some")
        ways = ("in", "out") if self.direction == "both" else (self.direction,)
        return firewall.silently(shell, flow, scene, dict.fromkeys(ways, "drop"))

    def reading(self, trips: RoundTrips, by: str) -> Reading:
        return Reading(value=round(100 - trips.loss_percent, 2), unit="% answered", by=by)

    def bites(self, baseline: Reading, during: Reading, asked_times: int) -> tuple[bool, str]:
        if not baseline.value:
            return False, "the peer gave no answer before the fault, so that silence proves nothing"
        return (
            during.value == 0,
            f"{baseline.value:g} {baseline.unit} before, {during.value:g} % of {asked_times} during",
        )
