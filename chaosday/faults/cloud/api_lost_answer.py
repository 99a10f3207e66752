"""A request that is carried out, and an answer that never says so."""

from __future__ import annotations

from typing import Literal

from chaosday.mechanisms.http_proxy.fault import ApiFault
from chaosday.mechanisms.http_proxy.rule import Rule


class ApiLostAnswer(ApiFault):
    """Lets the service do what it was asked and gives a server error instead of its answer.

    The client cannot know that it happened: a retry that is not idempotent does it twice.
    """

    kind: Literal["cloud.api.lost_answer"] = "cloud.api.lost_answer"

    def rule(self) -> Rule:
        return Rule(effect="answer", code="failed", after=True)
