"""Every dequeue comes from somewhere."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.per_key import independently
from chaosday.checkers.queues import check_queue
from chaosday.model.history import History


class Queue(HistoryCheck):
    """Nothing is dequeued that was not enqueued before; order and losses are not looked at."""

    kind: Literal["queue"] = "queue"
    model: ClassVar[str] = "queue"
    asks: ClassVar[tuple[str, ...]] = ("enqueue", "dequeue")
    empty_is_valid: ClassVar[bool] = True

    def analyse(self, history: History) -> ResultMap:
        """Judge each key's history, or the whole where there are no keys."""
        return independently(history, check_queue)
