"""A Fault is frozen data with units in its field names, and eight verbs."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from chaosday.clock import Clock
from chaosday.model.base import Model
from chaosday.model.lease import Lease, LeaseHolder, Undo
from chaosday.model.target import Target


@dataclass(frozen=True)
class PlanContext:
    """What a plan needs beside the target: identity, seed and time."""

    run: str
    lease_id: str
    seed: int
    clock: Clock


class Reading(Model):
    """One measurement of a fault's effect, by something other than its injector."""

    value: float
    unit: str
    by: str
    """What measured it: "round trip seen by a peer", "process table", "bytes free"."""
    least: float | None = None
    """The smallest of several, where ``value`` is their middle: a busy machine makes waits longer, and none shorter."""


class Met(Model):
    """How many of the operations that could meet a fault did, by whoever counts them; none of them ours."""

    hurt: int
    of: int
    by: str
    """What was counted, and what of it: "requests of clients through the route were hurt"."""

    @property
    def share(self) -> float:
        """0 where there were none."""
        return self.hurt / self.of if self.of else 0.0

    @property
    def words(self) -> str:
        """The count in words."""
        return f"{self.hurt:,} of {self.of:,} {self.by}"


class Bite(Model):
    """The first proof: whether the fault really hit, and how hard, against its own baseline."""

    fault: str
    target: str
    bit: bool
    baseline: Reading
    during: Reading
    why: str
    """In words: what was asked, what was measured."""
    looks: int = 1
    """How many times it was measured: at its beginning, every few seconds while it was meant to last, at its end."""
    gone_after_s: float | None = None
    """When a look first found it gone, in seconds after the injection; None where every look found it."""
    met: Met | None = None


class FaultPlan(Model):
    """What a fault will do, made before anything is touched; everything needed to undo it is in here.

    ``affected`` names what will be hurt, one entry for each thing the blast-radius cap counts.
    ``snapshot`` is what must read the same after heal; ``lasting`` names its entries that by design
    do not come back (a killed process), each with the reason.
    """

    lease: Lease
    affected: list[str]
    snapshot: dict[str, Any] = {}
    lasting: dict[str, str] = {}
    baseline: Reading
    mechanism: str = ""
    data: dict[str, Any] = {}
    """What inject and attest need to know again: resolved pids, route names, device names."""


class Fault(Model):
    """One way to hurt a target.

    A subclass is one file: fields with units and a default each, ``kind`` (a Literal), ``requires``
    (capabilities), and the verbs. ``plan`` touches nothing and raises ``CapabilityMissing``,
    ``ForeignState`` or ``ScratchMarkMissing`` early. ``inject`` runs only after the lease is armed.
    ``heal`` and ``residue`` need only the target and the lease, so that a process which never
    injected can run them from the journal.
    """

    kind: str
    target: str = Field(default="", title="Target", description="Name of a target of the experiment")
    ttl_s: float = Field(default=30, gt=0, le=86_400)
    """The lease: how long the fault may outlive our last sign of life, in seconds."""

    requires: ClassVar[tuple[type[Any], ...]] = ()
    look_every_s: ClassVar[float] = 2.0
    """How long after one look at its effect the next one comes, while it is meant to last."""
    irreversible: ClassVar[bool] = False
    """Whether undoing is impossible by nature (a termination, a deletion): promise G12."""
    ends_its_lease: ClassVar[bool] = False
    """Whether what keeps the lease ends with the harm (a reboot): a run is not stopped by a lease that is gone then."""

    @abstractmethod
    def plan(self, target: Target, context: PlanContext) -> FaultPlan:
        """Resolve, read the baseline, take the snapshot, and write the undo as data. Read-only."""

    @abstractmethod
    def inject(self, target: Target, plan: FaultPlan) -> None:
        """Do the harm. The lease is durable by now."""

    @abstractmethod
    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        """Measure the effect by a path other than the injector's."""

    def look(self, target: Target, plan: FaultPlan) -> Bite | None:
        """Measure again whether it is still there; None where it is over as soon as it is done: a kill, a restart.

        Called from a thread of its own while the fault is on. Where ``attest`` waits long for an effect to show, this
        must not: it has shown.
        """
        return self.attest(target, plan)

    def met(self, target: Target, plan: FaultPlan) -> Met | None:
        """What others asked for since the injection and how much of it was hurt; None where nobody counts that."""
        return None

    @abstractmethod
    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        """Read again what ``plan`` put into its snapshot."""

    def heal(self, target: Target, lease: Lease) -> None:
        """End it: idempotent, safe before a finished inject, touching only what carries the mark."""
        target.capability(LeaseHolder).heal(lease.id, lease.undo)

    def residue(self, target: Target, lease: Lease) -> list[str]:
        """What of ours is still there after heal, one line each."""
        return target.capability(LeaseHolder).residue(lease.id, lease.undo)

    def lease(self, context: PlanContext, undo: Undo) -> Lease:
        """The lease of this fault, for ``plan`` to put into its result."""
        return Lease(
            id=context.lease_id,
            run=context.run,
            fault=self.kind,
            target=self.target,
            undo=undo,
            ttl_s=self.ttl_s,
        )
