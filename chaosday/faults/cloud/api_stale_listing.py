"""A listing that is out of date."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.mechanisms.http_proxy.canary import Seen
from chaosday.mechanisms.http_proxy.fault import ApiFault, repeated
from chaosday.mechanisms.http_proxy.rule import Rule


class ApiStaleListing(ApiFault):
    """Gives the first answer to a listing again while the fault lasts: what is written meanwhile does not show."""

    kind: Literal["cloud.api.stale_listing"] = "cloud.api.stale_listing"
    unit: ClassVar[str] = "share of canaries answered as before"
    operations: list[str] = ["ListObjectsV2", "ListObjects", "ListObjectVersions"]

    def rule(self) -> Rule:
        return Rule(effect="repeat")

    def measure(self, seen: list[Seen]) -> float:
        return repeated(seen)
