"""What goes into a queue comes out."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.per_key import independently
from chaosday.checkers.queues import check_total_queue
from chaosday.model.history import History


class TotalQueue(HistoryCheck):
    """A queue that is drained in the end: lost, unexpected, duplicated, recovered.

    A message that comes out twice is counted, and an anomaly only with ``once``: hardly any queue promises that it
    does not, and Jepsen's check does not ask for it. Where no drain was answered nothing is known to be lost: Jepsen's
    check says that all of it is.
    """

    kind: Literal["total-queue"] = "total-queue"
    model: ClassVar[str] = "total-queue"
    asks: ClassVar[tuple[str, ...]] = ("enqueue", "dequeue", "drain")
    empty_is_valid: ClassVar[bool] = True

    once: bool = False
    """Whether each message has to come out once, and not more often."""

    def analyse(self, history: History) -> ResultMap:
        """Judge each key's history, or the whole where there are no keys."""
        return independently(history, partial(check_total_queue, once=self.once))
