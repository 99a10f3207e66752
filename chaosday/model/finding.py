"""What a check says, and the three values it can say."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from chaosday.model.base import Model

KEYS_SHOWN = 1000


class Outcome(StrEnum):
    """A verdict, best first; the order is the merge order and is written once, in ``verdict.py``."""

    PASS = "pass"
    INCONCLUSIVE = "inconclusive"
    VIOLATED = "violated"
    REVERT_FAILED = "revert_failed"


class Anomaly(Model):
    """One kind of damage that a check found.

    ``count`` is exact; ``keys`` names at most ``KEYS_SHOWN`` of the damaged items, in the check's
    own terms (a row's key, an operation's index, a page), so that a person can look at them.
    """

    name: str
    count: int = Field(ge=1)
    keys: list[int | str] = []
    detail: list[dict[str, Any]] = []


class Finding(Model):
    """One check's answer about one piece of evidence.

    ``examined`` counts what was really looked at (operations, rows, pages); a finding of ``pass``
    with nothing examined cannot be built: it is inconclusive.
    """

    check: str
    outcome: Outcome
    examined: int = Field(ge=0)
    examined_unit: str = "operations"
    reasons: list[str] = []
    anomalies: list[Anomaly] = []
    blind_to: list[str] = []
    result: dict[str, Any] = {}

    def anomaly(self, name: str) -> Anomaly | None:
        """The anomaly of that name, or None."""
        return next((a for a in self.anomalies if a.name == name), None)

    def damaged_keys(self) -> set[int | str]:
        """Every key named by any anomaly."""
        return {key for anomaly in self.anomalies for key in anomaly.keys}


def judged(
    check: str,
    *,
    examined: int,
    anomalies: list[Anomaly],
    unit: str = "operations",
    reasons: list[str] | None = None,
    unsure: list[str] | None = None,
    blind_to: list[str] | None = None,
    result: dict[str, Any] | None = None,
) -> Finding:
    """Build a finding by the one rule: damage is ``violated``; otherwise nothing examined, or any
    reason in ``unsure``, is ``inconclusive``; otherwise ``pass``."""
    unsure = list(unsure or [])
    if anomalies:
        outcome = Outcome.VIOLATED
    elif examined == 0 or unsure:
        outcome = Outcome.INCONCLUSIVE
        if examined == 0:
            unsure.append(f"nothing was examined: 0 {unit}")
    else:
        outcome = Outcome.PASS
    return Finding(
        check=check,
        outcome=outcome,
        examined=examined,
        examined_unit=unit,
        reasons=[*(reasons or []), *unsure],
        anomalies=anomalies,
        blind_to=blind_to or [],
        result=result or {},
    )
