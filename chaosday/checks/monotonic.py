"""Registers that only grow are read in one direction."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.monotone import check_monotonic
from chaosday.model.history import History


class Monotonic(HistoryCheck):
    """No two reads saw growing registers move in opposite directions, nor back in time."""

    kind: Literal["monotonic"] = "monotonic"
    model: ClassVar[str] = "monotonic"
    asks: ClassVar[tuple[str, ...]] = ("read", "txn", "inc")
    order: Literal["none", "session", "realtime"] = "realtime"
    """Which order reads have beside what they saw."""

    def analyse(self, history: History) -> ResultMap:
        """Judge all reads together."""
        return check_monotonic(history, order=self.order)
