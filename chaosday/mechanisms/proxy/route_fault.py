"""What the faults on a proxy route share: their plan, their undo, and how they are seen from outside."""

from __future__ import annotations

from abc import abstractmethod
from math import ceil, log
from statistics import median
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import TargetUnreachable
from chaosday.model.fault import Bite, Fault, FaultPlan, PlanContext, Reading
from chaosday.model.lease import LeaseHolder, Undo
from chaosday.model.target import Route, Target, Transfer

Direction = Literal["both", "upstream", "downstream"]
_TRIES_AT_MOST = 100
ANSWER_BY = "a client of ours through the route, until the server answered"


class RouteFault(Fault):
    """A toxic on a proxy route; ``direction`` is upstream (towards the server), downstream, or both."""

    requires: ClassVar[tuple[type[Any], ...]] = (Route, LeaseHolder)

    direction: Direction = "both"
    """Which bytes it hurts: towards the server (upstream), towards the client (downstream), or both."""
    probability: float = Field(default=1, gt=0, le=1)
    """The share of the connections that it hurts; the others are left untouched."""

    patience_s: float = Field(default=1, gt=0, le=60)
    """How long our own client waits for an answer before it calls the route silent, in seconds."""

    @abstractmethod
    def toxic(self) -> dict[str, Any]:
        """Its ``kind`` and particulars for the proxy."""

    @abstractmethod
    def measure(self, route: Route) -> Reading:
        """The effect seen from outside, with or without the fault."""

    @abstractmethod
    def bites(self, baseline: Reading, during: Reading) -> tuple[bool, str]:
        """Whether the readings show the fault, and why."""

    def plan(self, target: Target, context: PlanContext) -> FaultPlan:
        """One route is hurt; the undo is the proxy's own, by the lease's mark."""
        route = target.capability(Route)
        host, port = route.address()
        baseline = self.measure(route)
        if baseline.unit == "ms" and self.silent(baseline):
            raise TargetUnreachable(
                f"nothing answers through {host}:{port} before the fault; its effect could not be told"
            )
        return FaultPlan(
            lease=self.lease(context, Undo(data={"toxic": self.kind})),
            affected=[f"route {host}:{port}"],
            snapshot=_standing(route),
            baseline=baseline,
            mechanism="user-space TCP proxy",
            data={
                "toxic": {
                    "direction": self.direction,
                    "probability": self.probability,
                    "seed": context.seed,
                    **self.toxic(),
                }
            },
        )

    def inject(self, target: Target, plan: FaultPlan) -> None:
        """Put the toxic in force."""
        target.capability(Route).inject(plan.lease.id, plan.data["toxic"])

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        """Measure again and compare with the baseline; a client that was not meant to be hurt proves nothing."""
        for _ in range(self.tries):
            during = self.measure(target.capability(Route))
            bit, why = self.bites(plan.baseline, during)
            if bit:
                break
        return Bite(fault=self.kind, target=self.target, bit=bit, baseline=plan.baseline, during=during, why=why)

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        """The toxics of the route: other people's are none of our business, and must still be there."""
        return _standing(target.capability(Route))

    @property
    def tries(self) -> int:
        """How many clients it takes until one is hurt, but for one case in ten thousand."""
        return share_tries(self.probability)

    def silent(self, reading: Reading) -> bool:
        """Whether no answer came."""
        return reading.value >= self.patience_s * 1000


class TransferFault(RouteFault):
    """A toxic that is seen by what becomes of known bytes between two ends of ours, sent through the route."""

    by: ClassVar[str] = "known bytes between two ends of ours, through the route"

    def transfers(self, route: Route, size_bytes: int, effect_s: float) -> list[Transfer]:
        """One transfer in each hurt direction, given ``effect_s`` beside the usual patience."""
        ways = ["upstream", "downstream"] if self.direction == "both" else [self.direction]
        return [route.transfer(way, size_bytes, self.patience_s + 2 * effect_s) for way in ways]


class DelayingTransferFault(TransferFault):
    """One whose effect is how long something takes: a single reading on a busy machine may be too long by itself."""

    @property
    def tries(self) -> int:
        """At least three; the first that is neither too short nor too long counts."""
        return max(super().tries, 3)


class SilencingFault(RouteFault):
    """One that keeps answers away from clients."""

    def measure(self, route: Route) -> Reading:
        """Whether a client of ours gets an answer: any one direction cut keeps it away."""
        return answer(route, self.patience_s)

    def bites(self, baseline: Reading, during: Reading) -> tuple[bool, str]:
        """Answered before, silent now."""
        bit = self.silent(during) and not self.silent(baseline)
        now = f"no answer in {during.value:.0f} ms" if self.silent(during) else f"an answer in {during.value:.1f} ms"
        return bit, f"a new client had an answer in {baseline.value:.1f} ms before, and has {now}"


def share_tries(share: float) -> int:
    """How many pieces it takes until one of that share is hit, but for one case in ten thousand."""
    return 1 if share == 1 else min(_TRIES_AT_MOST, ceil(log(1e-4) / log(1 - share)))


def answer(route: Route, patience_s: float, count: int = 1) -> Reading:
    """The median of ``count`` waits for an answer; one that did not come counts as ``patience_s`` waited."""
    waits = [route.probe(patience_s) for _ in range(count)]
    shown = sorted((patience_s if wait is None else wait) * 1000 for wait in waits)
    return Reading(value=median(shown), least=shown[0] if count > 1 else None, unit="ms", by=ANSWER_BY)


def _standing(route: Route) -> dict[str, Any]:
    toxics = route.counters()["toxics"]
    return {"toxics": sorted(f"{toxic['lease_id']} {toxic['kind']}" for toxic in toxics)}
