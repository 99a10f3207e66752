"""A service that says it is asked too often."""

from __future__ import annotations

from math import ceil
from typing import Literal

from pydantic import Field

from chaosday.mechanisms.http_proxy.fault import ApiFault
from chaosday.mechanisms.http_proxy.rule import Rule


class ApiThrottle(ApiFault):
    """Refuses matching requests the way their service throttles: SlowDown, ThrottlingException, and the like.

    With ``allowed_per_s`` that many are let through, as a real quota would.
    """

    kind: Literal["cloud.api.throttle"] = "cloud.api.throttle"
    allowed_per_s: float = Field(default=0, ge=0)
    retry_after_s: int = Field(default=0, ge=0)

    def canaries(self) -> int:
        """As many more as are let through."""
        return super().canaries() + ceil(self.allowed_per_s)

    def rule(self) -> Rule:
        return Rule(
            effect="answer", code="throttled", allowed_per_s=self.allowed_per_s, retry_after_s=self.retry_after_s
        )
