"""How operations ended."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.counters import check_stats
from chaosday.model.history import History


class Stats(HistoryCheck):
    """Every kind of operation succeeded at least once."""

    kind: Literal["stats"] = "stats"
    model: ClassVar[str] = "stats"

    def analyse(self, history: History) -> ResultMap:
        """Count, over all and by kind of operation."""
        return check_stats(history)
