"""The proof by planted damage, for tests that count what it planted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chaosday.clock import ManualClock
from chaosday.judging import proof
from chaosday.judging.sight import KillMatrix
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence


def prove(evidence: Evidence, checks: Sequence[Check], **asked: Any) -> KillMatrix:
    """``chaosday.judging.proof.prove`` on a clock that stands still, unless another is given: on a slow machine
    it asks a check less often, and plants less within its budget."""
    return proof.prove(evidence, checks, **{"clock": ManualClock(), **asked})
