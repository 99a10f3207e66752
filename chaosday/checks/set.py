"""Everything added is in the last read."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.per_key import independently
from chaosday.checkers.sets import check_set
from chaosday.model.history import History


class SetOfAdds(HistoryCheck):
    """Adds of elements, then a read of all of them: lost, unexpected, recovered."""

    kind: Literal["set"] = "set"
    model: ClassVar[str] = "set"
    asks: ClassVar[tuple[str, ...]] = ("add", "read")

    def analyse(self, history: History) -> ResultMap:
        """Judge each key's history, or the whole where there are no keys."""
        return independently(history, check_set)
