"""Connections that are open are torn down in mid-stream."""

from __future__ import annotations

from shlex import quote
from typing import Literal

from pydantic import Field

from chaosday.errors import UsageError
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.round_trip import Probe, RoundTrips
from chaosday.mechanisms.hosts.tools import PATH
from chaosday.mechanisms.packets import firewall
from chaosday.mechanisms.packets.flow import Flow
from chaosday.mechanisms.packets.traffic import TrafficFault
from chaosday.model.fault import Reading
from chaosday.model.scene import Scene
from chaosday.model.target import Shell


class NetworkReset(TrafficFault):
    """Answer ``percent`` of the packets of established connections with a TCP reset instead of passing them on."""

    kind: Literal["network.reset"] = "network.reset"
    protocol: Literal["tcp"] = "tcp"
    percent: float = Field(default=100, gt=0, le=100)

    def means(self, shell: Shell, flow: Flow, scene: Scene) -> Means:
        if not flow.ports:
            raise UsageError("network.reset needs ports: the service whose connections are torn down")
        share = f"numgen random mod 1000000 < {round(self.percent * 10_000)} " if self.percent < 100 else ""
        # Only packets that carry data: a handshake that is answered with a reset is a refusal, not this.
        verdict = f"tcp flags & (syn | psh) == psh ct state established {share}reject with tcp reset"
        ways = ("in", "out") if self.direction == "both" else (self.direction,)
        hooks = {"in": firewall.INPUT, "out": firewall.OUTPUT_REFUSED}
        return firewall.build(shell, flow, scene, dict.fromkeys(ways, verdict), hooks)

    def probe_count(self) -> int:
        return 5

    def measure(self, shell: Shell, probe: Probe) -> tuple[Reading, int]:
        if not probe.port:
            raise UsageError("network.reset is measured on a connection: set probe to address:port")
        count = self.probe_count()
        # A connection is opened and written to; the shell's own words tell a reset from an ordinary end.
        talk = (
            f"exec 3<>/dev/tcp/{probe.host}/{probe.port} || exit 9; "
            "for i in 1 2 3 4 5; do printf x >&3; read -r -t 0.05 -N 1 -u 3; done"
        )
        script = (
            f"i=0; while [ $i -lt {count} ]; do said=$(LC_ALL=C timeout 2 bash -c {quote(talk)} 2>&1); "
            'case "$said" in *reset\\ by\\ peer* | *Broken\\ pipe*) echo reset ;; *) echo fine ;; esac; '
            "i=$((i + 1)); done"
        )
        answers = shell.run(PATH + script, timeout_s=4 * count + 10).out.split()
        share = 100 * answers.count("reset") / max(len(answers), 1)
        return Reading(value=share, unit="% reset", by=f"{len(answers)} connections to {probe}"), len(answers)

    def reading(self, trips: RoundTrips, by: str) -> Reading:
        return Reading(value=100 * trips.refused / trips.sent, unit="% refused", by=by)

    def bites(self, baseline: Reading, during: Reading, asked_times: int) -> tuple[bool, str]:
        words = f"{baseline.value:g} {baseline.unit} before, {during.value:g} % of {asked_times} during"
        return during.value > baseline.value, words
