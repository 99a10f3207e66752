"""A service is refused: the caller hears "no" at once."""

from __future__ import annotations

from typing import Literal

from chaosday.errors import UsageError
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.round_trip import RoundTrips
from chaosday.mechanisms.packets import firewall
from chaosday.mechanisms.packets.flow import Flow
from chaosday.mechanisms.packets.traffic import TrafficFault
from chaosday.model.fault import Reading
from chaosday.model.scene import Scene
from chaosday.model.target import Shell

ANSWERS = {
    "tcp_reset": "reject with tcp reset",
    "port_unreachable": "reject with icmpx port-unreachable",
    "host_unreachable": "reject with icmpx host-unreachable",
    "prohibited": "reject with icmpx admin-prohibited",
}


class NetworkReject(TrafficFault):
    """Refuse the target's own connections to ``peers`` and ``ports``, in one of the ways a network says no.

    A TCP reset is heard at once. An ICMP answer to the very first SYN comes while the caller still holds
    the socket and is only noted; what ends the attempt is the answer to the repeated SYN, a second later.
    """

    kind: Literal["network.reject"] = "network.reject"
    protocol: Literal["tcp"] = "tcp"
    direction: Literal["out"] = "out"
    answer: Literal["tcp_reset", "port_unreachable", "host_unreachable", "prohibited"] = "tcp_reset"

    def means(self, shell: Shell, flow: Flow, scene: Scene) -> Means:
        if not flow.ports:
            raise UsageError("network.reject needs ports: what refuses is a service, not a host")
        # Without "ct state new" it would cut connections that are open, which is network.reset.
        verdict = f"ct state new {ANSWERS[self.answer]}"
        return firewall.build(shell, flow, scene, {"out": verdict}, {"out": firewall.OUTPUT_REFUSED})

    def reading(self, trips: RoundTrips, by: str) -> Reading:
        return Reading(value=100 * trips.refused / trips.sent, unit="% refused", by=by)

    def bites(self, baseline: Reading, during: Reading, asked_times: int) -> tuple[bool, str]:
        words = f"{baseline.value:g} {baseline.unit} before, {during.value:g} % of {asked_times} during"
        return during.value == 100 and baseline.value < 100, words

    probe_wait_s = 4  # see above: an ICMP answer counts from the first repeated SYN on

    def probe_count(self) -> int:
        return 5
