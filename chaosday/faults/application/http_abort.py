"""A route that hangs up."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosday.mechanisms.http_proxy.fault import RouteFault
from chaosday.mechanisms.http_proxy.rule import Rule


class HttpAbort(RouteFault):
    """Resets the connection of matching requests: at once, or after ``after_bytes`` of the answer's body."""

    kind: Literal["application.http.abort"] = "application.http.abort"
    after_bytes: int = Field(default=0, ge=0)

    def rule(self) -> Rule:
        return Rule(effect="reset", after_bytes=self.after_bytes)
