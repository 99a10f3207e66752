"""What every fault on packets has in common: how it is planned, undone, measured and found again."""

from __future__ import annotations

from abc import abstractmethod
from shlex import quote
from typing import Any, ClassVar

from pydantic import Field

from chaosday.errors import CapabilityMissing, UsageError
from chaosday.mechanisms.hosts.guarded import guarded
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.round_trip import Pace, Probe, RoundTrips, round_trips
from chaosday.mechanisms.hosts.tools import PATH, ask, need
from chaosday.mechanisms.packets.flow import Direction, Flow, Protocol, checked
from chaosday.model.fault import Bite, Fault, FaultPlan, PlanContext, Reading
from chaosday.model.lease import LeaseHolder, Undo
from chaosday.model.scene import Control, Scene
from chaosday.model.target import Shell, Target
from chaosday.model.words import ADDRESS, DEVICE, said

_CONFIGURED = "tc qdisc show | awk '$2 !~ /^(noqueue|pfifo_fast|fq|fq_codel|mq)$/ { print $5 }' | sort -u"
DUMP = {
    "nft": "nft -s list ruleset",
    # Without the one counter that tc shows unasked, of somebody else's htb.
    "qdiscs": "tc qdisc show | sed 's/direct_packets_stat [0-9]*//'",
    # Only where a queue can have any: each tc is a process, and a busy host has many interfaces.
    "classes": f"for d in $({_CONFIGURED}); do tc class show dev $d; done",
    "filters": f"for d in $({_CONFIGURED}); do tc filter show dev $d; done",
}
"""The state of the packet path, in the words of the tools themselves; compared byte by byte after heal."""


class TrafficFault(Fault):
    """Hurts packets to and from ``peers`` and never the connection by which we hold the target."""

    peers: list[str] = Field(default=[], description="Addresses or networks; empty means everybody but us")
    ports: list[int] = Field(default=[], description="Ports of either side; empty means all")
    protocol: Protocol = "any"
    direction: Direction = "both"
    device: str = Field(default="", pattern=DEVICE, description="Interface; empty is the one that leads to the peers")
    probe: str = Field(
        default="", pattern=ADDRESS, description="Whom to measure against: address or address:port; default, first peer"
    )

    requires: ClassVar[tuple[type[Any], ...]] = (Shell, LeaseHolder)
    tools: ClassVar[tuple[str, ...]] = ("nft", "ip", "tc")
    probe_gap_s: ClassVar[float] = 0.01
    probe_wait_s: ClassVar[float] = 1
    probe_payload_bytes: ClassVar[int] = 56

    @abstractmethod
    def means(self, shell: Shell, flow: Flow, scene: Scene) -> Means:
        """Choose the mechanism that this kernel has; ``CapabilityMissing`` where there is none."""

    @abstractmethod
    def reading(self, trips: RoundTrips, by: str) -> Reading:
        """The fault's own effect, read from round trips."""

    @abstractmethod
    def bites(self, baseline: Reading, during: Reading, asked_times: int) -> tuple[bool, str]:
        """Whether the effect is there, and in words what was asked and what was measured."""

    def probe_count(self) -> int:
        """How many echo requests one reading takes."""
        return 20

    def flow(self, target: Target) -> Flow:
        """The packets meant, once the target is known."""
        return checked(self.peers, self.ports, self.protocol)

    def plan(self, target: Target, context: PlanContext) -> FaultPlan:
        shell = target.capability(Shell)
        flow = self.flow(target)
        probe = self._probe(flow)
        need(shell, *self.tools, *probe.tools())
        scene = self._scene(shell, context, probe)
        means = self.means(shell, flow, scene)
        return FaultPlan(
            lease=self.lease(context, Undo(script=PATH + means.undo, residue_script=PATH + means.residue)),
            affected=[self.target],
            snapshot=dict(ask(shell, DUMP)),
            baseline=self.measure(shell, probe)[0],
            mechanism=means.mechanism,
            data={"inject": means.inject, "probe": str(probe)},
        )

    def inject(self, target: Target, plan: FaultPlan) -> None:
        guarded(target, plan.lease, str(plan.data["inject"]))

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        during, asked_times = self.measure(target.capability(Shell), Probe.parse(str(plan.data["probe"])))
        bit, why = self.bites(plan.baseline, during, asked_times)
        return Bite(fault=self.kind, target=self.target, bit=bit, baseline=plan.baseline, during=during, why=why)

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        return dict(ask(target.capability(Shell), DUMP))

    def measure(self, shell: Shell, probe: Probe) -> tuple[Reading, int]:
        """Ask the peer, and how many times; the injector has no part in it."""
        how = "TCP connections" if probe.port else "echo requests"
        count = min(self.probe_count(), 50) if probe.port else self.probe_count()
        pace = Pace(count, self.probe_gap_s, self.probe_wait_s, self.probe_payload_bytes)
        trips = round_trips(shell, probe, pace)
        return self.reading(trips, f"{trips.sent} {how} to {probe}"), trips.sent

    def _probe(self, flow: Flow) -> Probe:
        if self.probe:
            return Probe.parse(self.probe)
        for peer in flow.peers:
            if "/" not in peer:
                return Probe(peer, flow.ports[0] if flow.ports and self.protocol != "udp" else 0)
        raise UsageError(f"{self.kind} has nothing to measure itself against: set probe to an address or address:port")

    def _scene(self, shell: Shell, context: PlanContext, probe: Probe) -> Scene:
        # Asked without sudo, which would strip SSH_CONNECTION from the environment.
        control = Control.parse(shell.run('echo "$SSH_CONNECTION"').out)
        device = self.device
        if not device:
            route = ask(shell, {"route": f"ip -o route get {quote(probe.host)}"})["route"].split()
            if "dev" not in route:
                raise CapabilityMissing(f"the target has no route to {probe.host}; set device or probe")
            device = said("network interface", route[route.index("dev") + 1], DEVICE)
        elif not ask(shell, {"link": f"ip -o link show dev {quote(device)}"})["link"]:
            raise UsageError(f"the target has no interface {device!r}")
        return Scene(context.lease_id, control, device, context.seed)
