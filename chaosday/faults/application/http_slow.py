"""A route whose answers trickle."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.http_proxy.canary import Seen
from chaosday.mechanisms.http_proxy.fault import RouteFault
from chaosday.mechanisms.http_proxy.rule import Rule


class HttpSlow(RouteFault):
    """Sends the body of matching answers at ``bytes_per_s``: connections fill up while nothing fails."""

    kind: Literal["application.http.slow"] = "application.http.slow"
    unit: ClassVar[str] = "microseconds a byte"
    bytes_per_s: float = Field(default=4096, gt=0)

    def rule(self) -> Rule:
        return Rule(effect="slow", bytes_per_s=self.bytes_per_s)

    def patience_s(self) -> float:
        return 30

    def measure(self, seen: list[Seen]) -> float:
        return max(each.seconds / max(1, len(each.body)) for each in seen) * 1e6

    def bit(self, before: float, during: float) -> bool:
        # The first step of a short body is not waited for, so that less than the whole time is seen.
        return during > before and during >= 0.5e6 / self.bytes_per_s
