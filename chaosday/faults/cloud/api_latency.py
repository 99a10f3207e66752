"""A slow dependency."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.http_proxy.canary import Seen
from chaosday.mechanisms.http_proxy.fault import DELAY, ApiFault, median_s, slowest_s
from chaosday.mechanisms.http_proxy.rule import Rule


class ApiLatency(ApiFault):
    """Holds matching requests back by ``delay_ms`` plus or minus ``jitter_ms`` before they are passed on."""

    kind: Literal["cloud.api.latency"] = "cloud.api.latency"
    unit: ClassVar[str] = DELAY
    delay_ms: float = Field(default=300, gt=0, le=600_000)
    jitter_ms: float = Field(default=0, ge=0, le=600_000)

    def rule(self) -> Rule:
        return Rule(effect="delay", delay_s=self.delay_ms / 1000, jitter_s=self.jitter_ms / 1000)

    def delays_ms(self) -> float:
        return self.delay_ms + self.jitter_ms

    def patience_s(self) -> float:
        return 10 + (self.delay_ms + self.jitter_ms) / 1000

    def measure(self, seen: list[Seen]) -> float:
        return (median_s if self.probability == 1 else slowest_s)(seen) * 1000

    def bit(self, before: float, during: float) -> bool:
        return during - before >= max(1.0, 0.8 * (self.delay_ms - self.jitter_ms))
