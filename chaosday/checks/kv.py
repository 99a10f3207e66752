"""A store of texts is linearizable."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.linear import STEPS, linearizable
from chaosday.checkers.models import KeyValue as KeyValueModel
from chaosday.model.history import History


class KeyValue(HistoryCheck):
    """Gets, puts and appends, key by key."""

    kind: Literal["kv"] = "kv"
    model: ClassVar[str] = "kv"
    initial: str = ""
    """What a key that was never put reads as."""
    steps: int = Field(default=STEPS, ge=1)
    """The budget of the search over all keys; what is undecided when it ends is unknown."""

    def analyse(self, history: History) -> ResultMap:
        """Search each key on a shared budget."""
        return linearizable(history, KeyValueModel(self.initial), steps=self.steps)
