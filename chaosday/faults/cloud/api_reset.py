"""A connection that is reset in the middle of a body."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosday.mechanisms.http_proxy.canary import Seen
from chaosday.mechanisms.http_proxy.client import HttpRules
from chaosday.mechanisms.http_proxy.fault import ApiFault
from chaosday.mechanisms.http_proxy.rule import Rule


class ApiReset(ApiFault):
    """Resets the connection after ``after_bytes`` of the answer's body, or of the upload's with ``upload``."""

    kind: Literal["cloud.api.reset"] = "cloud.api.reset"
    after_bytes: int = Field(default=512, ge=0)
    upload: bool = False

    def rule(self) -> Rule:
        return Rule(effect="reset", after_bytes=self.after_bytes, upload=self.upload)

    def see(self, rules: HttpRules) -> Seen:
        return rules.canary(self.matching(), timeout_s=self.patience_s(), upload=self.upload)
