"""A service that takes requests and never answers."""

from __future__ import annotations

from typing import Literal

from chaosday.mechanisms.http_proxy.fault import ApiFault
from chaosday.mechanisms.http_proxy.rule import Rule


class ApiHang(ApiFault):
    """Takes matching requests and keeps them, unanswered, until the fault ends; then their connections are reset."""

    kind: Literal["cloud.api.hang"] = "cloud.api.hang"

    def rule(self) -> Rule:
        return Rule(effect="hang")

    def patience_s(self) -> float:
        return 1.5
