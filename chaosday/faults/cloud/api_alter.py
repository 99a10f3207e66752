"""A bit that flips on the way."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.mechanisms.http_proxy.canary import Seen
from chaosday.mechanisms.http_proxy.fault import ApiFault, damaged
from chaosday.mechanisms.http_proxy.rule import Rule


class ApiAlter(ApiFault):
    """Flips one bit in the body of matching answers; length and headers stay as the service sent them."""

    kind: Literal["cloud.api.alter"] = "cloud.api.alter"
    unit: ClassVar[str] = "share of canaries damaged"

    def rule(self) -> Rule:
        return Rule(effect="alter")

    def measure(self, seen: list[Seen]) -> float:
        return damaged(seen)
