"""What all faults in the HTTP proxy have in common: one rule under one lease, its effect seen from a client's place."""

from __future__ import annotations

import statistics
from abc import abstractmethod
from typing import Any, ClassVar

from pydantic import Field

from chaosday.mechanisms.dose import overdose
from chaosday.mechanisms.http_proxy.canary import STAMP_BYTES, Seen, intact
from chaosday.mechanisms.http_proxy.client import HttpRules
from chaosday.mechanisms.http_proxy.rule import Match, Rule
from chaosday.model.fault import Bite, Fault, FaultPlan, Met, PlanContext, Reading
from chaosday.model.lease import LeaseHolder, Undo
from chaosday.model.target import Target

BY = "a client of the proxy"
DELAY = "ms round trip"
MOST_CANARIES = 60


class ProxyFault(Fault):
    """Hurts matching requests inside the HTTP proxy; the service behind it is not touched.

    The undo is the proxy's own: its timer drops the rule. A subclass says which requests
    (``matching``) and what happens to them (``rule``), and how its effect shows (``measure``).
    """

    requires: ClassVar[tuple[type[Any], ...]] = (HttpRules, LeaseHolder)
    target: str = Field(default="", title="Target", description="Name of an http_route target")
    probability: float = Field(default=1, gt=0, le=1)
    """Share of the matching requests that is hurt."""
    unit: ClassVar[str] = "share of canaries hurt"

    @abstractmethod
    def matching(self) -> Match:
        """Which requests."""

    @abstractmethod
    def rule(self) -> Rule:
        """What happens to them; match, probability and seed are filled in by ``plan``."""

    def plan(self, target: Target, context: PlanContext) -> FaultPlan:
        rules = target.capability(HttpRules)
        target.capability(LeaseHolder)
        match = self.matching()
        rule = self.rule().model_copy(update={"match": match, "probability": self.probability, "seed": context.seed})
        undo = Undo(data={"route": target.public().get("route", ""), "effect": rule.effect})
        return FaultPlan(
            lease=self.lease(context, undo),
            affected=[f"route {target.public().get('route', '')}: {_words(match)}"],
            snapshot={"leases": []},
            baseline=self._reading(rules, 3),
            mechanism=f"{rule.effect} rule in the HTTP proxy",
            data={"rule": rule.model_dump(mode="json")},
        )

    def inject(self, target: Target, plan: FaultPlan) -> None:
        target.capability(HttpRules).add(plan.lease.id, Rule.model_validate(plan.data["rule"]))

    def attest(self, target: Target, plan: FaultPlan) -> Bite:
        count = self.canaries()
        during = self._reading(target.capability(HttpRules), count)
        bit = self.bit(plan.baseline.value, during.value)
        why = f"{self.kind}: {count} canaries: {during.value:.3g} {during.unit}, {plan.baseline.value:.3g} before"
        if self.probability == 1 and (asked := self.delays_ms()) and (much := overdose(plan.baseline, during, asked)):
            bit, why = False, f"{why}; {much}"
        return Bite(fault=self.kind, target=self.target, bit=bit, baseline=plan.baseline, during=during, why=why)

    def canaries(self) -> int:
        """Enough that a fault of this probability strikes none of them once in 10,000 attests."""
        return 3 if self.probability == 1 else min(MOST_CANARIES, int(9.3 / self.probability) + 1)

    def met(self, target: Target, plan: FaultPlan) -> Met | None:
        counts = target.capability(HttpRules).counts(plan.lease.id)
        return Met(hurt=counts["hurt"], of=counts["others"], by="requests of clients through the route were hurt")

    def snapshot(self, target: Target, plan: FaultPlan) -> dict[str, Any]:
        mine = [
            state.id
            for state in target.capability(LeaseHolder).leases()
            if state.id == plan.lease.id and not state.healed
        ]
        return {"leases": mine}

    def bit(self, before: float, during: float) -> bool:
        """Whether the two readings show the effect."""
        return during > before

    def delays_ms(self) -> float:
        """How much longer a request may take by it; 0 where it is no matter of time."""
        return 0

    def patience_s(self) -> float:
        """How long a canary waits for its answer."""
        return 10

    def see(self, rules: HttpRules) -> Seen:
        """One canary; a fault with real requests to ask asks those instead."""
        return rules.canary(self.matching(), timeout_s=self.patience_s())

    def measure(self, seen: list[Seen]) -> float:
        """The effect in ``unit``, from what the canaries' sender saw."""
        return sum(not each.whole or each.status != 200 for each in seen) / len(seen)

    def _reading(self, rules: HttpRules, count: int) -> Reading:
        seen = [self.see(rules) for _ in range(count)]
        least = min(each.seconds for each in seen) * 1000 if self.unit == DELAY else None
        return Reading(value=self.measure(seen), least=least, unit=self.unit, by=BY)


class ApiFault(ProxyFault):
    """A fault on requests to an AWS-compatible service, told apart by service, operation, bucket and key."""

    service: str = "s3"
    """The service in the signature's scope: s3, dynamodb, sqs, ec2 ..."""
    operations: list[str] = []
    """Operations as the SDK names them (GetObject, PutItem); empty is all of them."""
    bucket: str = "*"
    key: str = "*"

    def matching(self) -> Match:
        return Match(service=self.service, operations=self.operations, bucket=self.bucket, key=self.key)


class RouteFault(ProxyFault):
    """A fault on requests to any HTTP service, told apart by method and path.

    With ``probe`` set, that path is really asked for (GET) to measure the effect, before and during;
    without it canaries are sent, which the service never sees.
    """

    methods: list[str] = []
    path: str = "*"
    probe: str = Field(default="", pattern=r"^(/.*)?$")

    def matching(self) -> Match:
        return Match(methods=self.methods, path=self.path)

    def see(self, rules: HttpRules) -> Seen:
        if self.probe:
            return rules.ask("GET", self.probe, {}, timeout_s=self.patience_s())
        return super().see(rules)


def slowest_s(seen: list[Seen]) -> float:
    """The longest of the round trips."""
    return max(each.seconds for each in seen)


def median_s(seen: list[Seen]) -> float:
    """The middle of the round trips."""
    return statistics.median(each.seconds for each in seen)


def damaged(seen: list[Seen]) -> float:
    """Share of answers that came whole and with other bytes than were sent."""
    return sum(each.whole and not intact(each.body) for each in seen) / len(seen)


def repeated(seen: list[Seen]) -> float:
    """Share of answers that are one given before: their time stamps are equal."""
    stamps = [each.body[:STAMP_BYTES] for each in seen]
    return 1 - len(set(stamps)) / len(stamps)


def _words(match: Match) -> str:
    parts = [
        match.service,
        "/".join(match.operations),
        "/".join(match.methods),
        f"{match.bucket}/{match.key}" if (match.bucket, match.key) != ("*", "*") else "",
        match.path if match.path != "*" else "",
    ]
    return " ".join(part for part in parts if part) or "every request"
