"""A lock is held by one at a time."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.linear import STEPS, linearizable
from chaosday.checkers.models import Mutex as MutexModel
from chaosday.model.history import History


class Mutex(HistoryCheck):
    """Acquires and releases of a lock, each key a lock of its own."""

    kind: Literal["mutex"] = "mutex"
    model: ClassVar[str] = "mutex"
    steps: int = Field(default=STEPS, ge=1)
    """The budget of the search over all keys; what is undecided when it ends is unknown."""

    def analyse(self, history: History) -> ResultMap:
        """Search each key on a shared budget."""
        return linearizable(history, MutexModel(), steps=self.steps)
