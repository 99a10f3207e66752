"""A route whose answers are damaged."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.http_proxy.canary import Seen
from chaosday.mechanisms.http_proxy.client import HttpRules
from chaosday.mechanisms.http_proxy.fault import RouteFault, damaged
from chaosday.mechanisms.http_proxy.rule import Rule


class HttpBody(RouteFault):
    """Flips one bit in the body of matching answers, or cuts it short with a length that fits (``how: truncate``)."""

    kind: Literal["application.http.body"] = "application.http.body"
    unit: ClassVar[str] = "share of answers damaged"
    how: Literal["alter", "truncate"] = "alter"
    keep_share: float = Field(default=0.5, ge=0, lt=1)

    def rule(self) -> Rule:
        return Rule(effect=self.how, keep_share=self.keep_share)

    def see(self, rules: HttpRules) -> Seen:
        # A page of the application may differ from one request to the next; a canary never does.
        return rules.canary(self.matching(), timeout_s=self.patience_s())

    def measure(self, seen: list[Seen]) -> float:
        return damaged(seen)
