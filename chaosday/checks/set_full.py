"""Every element added is seen by every read after some time."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.per_key import independently
from chaosday.checkers.sets import check_set_full
from chaosday.model.history import History


class SetFull(HistoryCheck):
    """Adds and reads all along: stable, lost, never-read and stale elements, with latencies."""

    kind: Literal["set-full"] = "set-full"
    model: ClassVar[str] = "set-full"
    asks: ClassVar[tuple[str, ...]] = ("add", "read")
    linearizable: bool = False
    """Whether an element that a read missed after it was known is an anomaly too."""

    def analyse(self, history: History) -> ResultMap:
        """Judge each key's history, or the whole where there are no keys."""
        return independently(history, partial(check_set_full, linearizable=self.linearizable))
