"""A body that ends too early with a length that fits."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.http_proxy.canary import Seen
from chaosday.mechanisms.http_proxy.fault import ApiFault, damaged
from chaosday.mechanisms.http_proxy.rule import Rule


class ApiTruncate(ApiFault):
    """Cuts the body of matching answers to ``keep_share`` and makes the length fit, so that only a digest tells."""

    kind: Literal["cloud.api.truncate"] = "cloud.api.truncate"
    unit: ClassVar[str] = "share of canaries damaged"
    keep_share: float = Field(default=0.5, ge=0, lt=1)

    def rule(self) -> Rule:
        return Rule(effect="truncate", keep_share=self.keep_share)

    def measure(self, seen: list[Seen]) -> float:
        return damaged(seen)
