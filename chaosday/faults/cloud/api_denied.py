"""A permission that is gone."""

from __future__ import annotations

from typing import Literal

from chaosday.mechanisms.http_proxy.fault import ApiFault
from chaosday.mechanisms.http_proxy.rule import Rule


class ApiDenied(ApiFault):
    """Refuses matching requests as not permitted (AccessDenied), though they are signed well."""

    kind: Literal["cloud.api.denied"] = "cloud.api.denied"

    def rule(self) -> Rule:
        return Rule(effect="answer", code="denied")
