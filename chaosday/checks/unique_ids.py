"""Generated identifiers are unique."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.counters import check_unique_ids
from chaosday.model.history import History


class UniqueIds(HistoryCheck):
    """No identifier is generated twice."""

    kind: Literal["unique-ids"] = "unique-ids"
    model: ClassVar[str] = "unique-ids"
    asks: ClassVar[tuple[str, ...]] = ("generate",)
    empty_is_valid: ClassVar[bool] = True

    def analyse(self, history: History) -> ResultMap:
        """Judge all identifiers together: unique means among all of them."""
        return check_unique_ids(history)
