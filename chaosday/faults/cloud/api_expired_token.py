"""A session that is over."""

from __future__ import annotations

from typing import Literal

from chaosday.mechanisms.http_proxy.fault import ApiFault
from chaosday.mechanisms.http_proxy.rule import Rule


class ApiExpiredToken(ApiFault):
    """Refuses matching requests because their session token has expired."""

    kind: Literal["cloud.api.expired_token"] = "cloud.api.expired_token"

    def rule(self) -> Rule:
        return Rule(effect="answer", code="expired")
