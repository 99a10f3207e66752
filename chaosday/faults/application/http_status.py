"""A route that answers with an error."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosday.mechanisms.http_proxy.fault import RouteFault
from chaosday.mechanisms.http_proxy.rule import Rule


class HttpStatus(RouteFault):
    """Answers matching requests with ``status`` and ``body`` instead of asking the service."""

    kind: Literal["application.http.status"] = "application.http.status"
    status: int = Field(default=503, ge=400, le=599)
    body: str = Field(default="injected", max_length=65536)

    def rule(self) -> Rule:
        return Rule(effect="answer", status=self.status, message=self.body)
