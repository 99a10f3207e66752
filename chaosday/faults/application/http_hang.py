"""A route that never answers."""

from __future__ import annotations

from typing import Literal

from chaosday.mechanisms.http_proxy.fault import RouteFault
from chaosday.mechanisms.http_proxy.rule import Rule


class HttpHang(RouteFault):
    """Takes matching requests and keeps them, unanswered, until the fault ends."""

    kind: Literal["application.http.hang"] = "application.http.hang"

    def rule(self) -> Rule:
        return Rule(effect="hang")

    def patience_s(self) -> float:
        return 1.5
