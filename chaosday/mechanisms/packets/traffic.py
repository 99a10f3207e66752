"""What every fault on packets has in common: how it is planned, undone, measured and found again."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from chaosday.errors import Refused, UsageError
from chaosday.mechanisms.hosts.guarded import guarded
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.round_trip import Pace, Probe, RoundTrips, round_trips
from chaosday.mechanisms.hosts.tools import PATH, ask, need
from chaosday.mechanisms.packets.flow import Direction, Flow, Protocol, checked
from chaosday.mechanisms.packets.ways import devices_to, named
from chaosday.model.fault import Bite, Fault, FaultPlan, PlanContext, Reading
from chaosday.model.lease import LeaseHolder, Undo
from chaosday.model.scene import Control, Scene
from chaosday.model.target import Shell, Target
from chaosday.model.words import ADDRESS, DEVICE


def _dump(indices: Sequence[int]) -> dict[str, str]:
    """Questions for the state of the packet path, in the words of the tools themselves; compared byte by byte after
    heal. Queues are those of our interfaces, whatever they are called by then: others come and go as they like."""

    def shown(what: str) -> str:
        return "".join(f'd={named(index)}; [ -z "$d" ] || tc {what} show dev $d\n' for index in indices)

    return {
        "nft": "nft -s list ruleset",
        # Without the one counter that tc shows unasked, of somebody else's htb.
        "qdiscs": f"{{ {shown('qdisc')} }} | sed 's/direct_packets_stat [0-9]*//'",
        "classes": shown("class"),
        "filters": shown("filter"),
    }


class TrafficFault(Fault):
    """Hurts packets to and from ``peers`` and never the connection by which we hold the target."""

    peers: list[str] = Field(default=[], description="Addresses or networks; empty means everybody but us")
    ports: list[int] = Field(default=[], description="Ports of either side; empty means all")
    protocol: Protocol = "any"
    direction: Direction = "both"
    device: str = Field(default="", pattern=DEVICE, description="Interface; empty: all that lead to the peers")
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
        scene = self._scene(shell, context, probe, flow)
        means, indices = self.means(shell, flow, scene), [device.index for device in scene.devices]
        return FaultPlan(
            lease=self.lease(context, Undo(script=PATH + means.undo, residue_script=PATH + means.residue)),
            affected=[self.target],
            snapshot=dict(ask(shell, _dump(indices))),
            baseline=self.measure(shell, probe)[0],
            mechanism=means.mechanism,
            data={"inject": means.inject, "probe": str(probe), "devices": indices},
        )

    def inject(self, target: Target, plan: FaultPlan) -> None:
        now = devices_to(target.capability(Shell), self.flow(target), str(plan.data["probe"]), self.device)
        if fresh := [device.name for device in now if device.index not in plan.data["devices"]]:
            raise Refused(f"since the plan {', '.join(fresh)} leads to the peers as well; plan again")
        guarded(target, plan.lease, str(plan.data["inject"]))

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        during, asked_times = self.measure(target.capability(Shell), Probe.parse(str(plan.data["probe"])))
        bit, why = self.bites(plan.baseline, during, asked_times)
        return Bite(fault=self.kind, target=self.target, bit=bit, baseline=plan.baseline, during=during, why=why)

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        return dict(ask(target.capability(Shell), _dump(plan.data["devices"])))

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

    def _scene(self, shell: Shell, context: PlanContext, probe: Probe, flow: Flow) -> Scene:
        # Asked without sudo, which would strip SSH_CONNECTION from the environment.
        control = Control.parse(shell.run('echo "$SSH_CONNECTION"').out)
        return Scene(context.lease_id, control, devices_to(shell, flow, str(probe), self.device), context.seed)
