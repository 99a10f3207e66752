"""A queue that is first in, first out."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.per_key import independently
from chaosday.checkers.queues import check_fifo_queue
from chaosday.model.history import History


class FifoQueue(HistoryCheck):
    """Whether enqueues and dequeues could have been those of one first-in-first-out queue."""

    kind: Literal["fifo-queue"] = "fifo-queue"
    model: ClassVar[str] = "fifo-queue"
    asks: ClassVar[tuple[str, ...]] = ("enqueue", "dequeue")

    def analyse(self, history: History) -> ResultMap:
        """Judge each key's history, or the whole where there are no keys."""
        return independently(history, check_fifo_queue)
