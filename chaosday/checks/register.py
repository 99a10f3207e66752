"""Read-write registers are linearizable."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.linear import STEPS
from chaosday.checkers.register import check_register
from chaosday.model.history import History


class Register(HistoryCheck):
    """Reads and writes, each key a register of its own."""

    kind: Literal["register"] = "register"
    model: ClassVar[str] = "register"
    initial: JsonValue = None
    """What a register holds before anybody writes it."""
    nil_read: Literal["wildcard", "value"] = "wildcard"
    """Whether a read of nil says nothing, or that there is nothing."""
    steps: int = Field(default=STEPS, ge=1)
    """The budget of the search over all keys; what is undecided when it ends is unknown."""

    def analyse(self, history: History) -> ResultMap:
        """Judge each key: by zones where writes are unique, by search otherwise."""
        return check_register(history, initial=self.initial, nil_read=self.nil_read, steps=self.steps)
