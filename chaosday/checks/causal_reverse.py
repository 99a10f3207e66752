"""Effects are not seen without their causes."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.per_key import independently
from chaosday.checkers.snapshots import check_causal_reverse
from chaosday.model.history import History


class CausalReverse(HistoryCheck):
    """Whoever sees a write sees every write that had been acknowledged before it began."""

    kind: Literal["causal-reverse"] = "causal-reverse"
    model: ClassVar[str] = "causal-reverse"
    asks: ClassVar[tuple[str, ...]] = ("read", "write")

    def analyse(self, history: History) -> ResultMap:
        """Judge each key's history, or the whole where there are no keys."""
        return independently(history, check_causal_reverse)
