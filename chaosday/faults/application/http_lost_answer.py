"""A request that is carried out, and an answer that is lost."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosday.mechanisms.http_proxy.fault import RouteFault
from chaosday.mechanisms.http_proxy.rule import Rule


class HttpLostAnswer(RouteFault):
    """Lets the service do what it was asked, then answers ``status`` in its place: was it done, or was it not?"""

    kind: Literal["application.http.lost_answer"] = "application.http.lost_answer"
    status: int = Field(default=502, ge=500, le=599)

    def rule(self) -> Rule:
        return Rule(effect="answer", status=self.status, after=True)
