"""Compare-and-set registers are linearizable."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.linear import STEPS, linearizable
from chaosday.checkers.models import Register as RegisterModel
from chaosday.model.history import History


class CasRegister(HistoryCheck):
    """Reads, writes and compare-and-sets, each key a register of its own."""

    kind: Literal["cas-register"] = "cas-register"
    model: ClassVar[str] = "cas-register"
    initial: JsonValue = None
    """What a register holds before anybody writes it."""
    nil_read: Literal["wildcard", "value"] = "wildcard"
    """Whether a read of nil says nothing, or that there is nothing."""
    failed_cas: Literal["ignored", "mismatch"] = "ignored"
    """Whether a refused compare-and-set did not happen, or proves that the value was another."""
    steps: int = Field(default=STEPS, ge=1)
    """The budget of the search over all keys; what is undecided when it ends is unknown."""

    def analyse(self, history: History) -> ResultMap:
        """Search each key on a shared budget."""
        return linearizable(history, RegisterModel(self.initial, self.nil_read, self.failed_cas), steps=self.steps)
