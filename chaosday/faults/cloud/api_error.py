"""A service that fails inside."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosday.mechanisms.http_proxy.fault import ApiFault
from chaosday.mechanisms.http_proxy.rule import Rule


class ApiError(ApiFault):
    """Answers matching requests with a server error, before the service hears of them.

    ``status`` 0 gives the error that their service gives for a fault of its own (500 InternalError).
    """

    kind: Literal["cloud.api.error"] = "cloud.api.error"
    status: int = Field(default=0, ge=0, le=599)
    code: str = ""

    def rule(self) -> Rule:
        return Rule(
            effect="answer",
            status=self.status or 500,
            code=self.code or ("ServiceUnavailable" if self.status == 503 else "failed"),
        )
