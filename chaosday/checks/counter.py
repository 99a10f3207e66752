"""A counter that only grows."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.counters import check_counter
from chaosday.checkers.per_key import independently
from chaosday.model.history import History


class Counter(HistoryCheck):
    """Every read lies between what had surely been added and all that can have been."""

    kind: Literal["counter"] = "counter"
    model: ClassVar[str] = "counter"
    asks: ClassVar[tuple[str, ...]] = ("add", "read")
    empty_is_valid: ClassVar[bool] = True

    def analyse(self, history: History) -> ResultMap:
        """Judge each key's history, or the whole where there are no keys."""
        return independently(history, check_counter)
