"""Reads agree on the order of writes."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.snapshots import check_long_fork
from chaosday.model.history import History


class LongFork(HistoryCheck):
    """Of two reads of one group of keys, one saw all that the other saw."""

    kind: Literal["long-fork"] = "long-fork"
    model: ClassVar[str] = "long-fork"
    arguments: ClassVar[tuple[str, ...]] = ("group_size",)
    group_size: int = Field(default=2, ge=1)
    """How many keys every read asks for."""

    def analyse(self, history: History) -> ResultMap:
        """Judge all groups of keys."""
        return check_long_fork(history, group_size=self.group_size)
