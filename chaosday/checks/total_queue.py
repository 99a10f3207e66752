"""What goes into a queue comes out."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.per_key import independently
from chaosday.checkers.queues import check_total_queue
from chaosday.history import History


class TotalQueue(HistoryCheck):
    """A queue that is drained in the end: lost, unexpected, duplicated, recovered."""

    kind: Literal["total-queue"] = "total-queue"
    model: ClassVar[str] = "total-queue"
    asks: ClassVar[tuple[str, ...]] = ("enqueue", "dequeue", "drain")
    empty_is_valid: ClassVar[bool] = True

    def analyse(self, history: History) -> ResultMap:
        """Judge each key's history, or the whole where there are no keys."""
        return independently(history, check_total_queue)
