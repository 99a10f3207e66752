"""Transactions over lists hold the isolation they promise."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import field_validator

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.consistency import known_anomaly
from chaosday.checkers.elle import DEFAULT_MODELS, Expected
from chaosday.checkers.list_append import check_list_append
from chaosday.model.history import History


class ListAppend(HistoryCheck):
    """Appends to and reads of lists: G0 to G2, aborted and intermediate reads, lost updates, by name."""

    kind: Literal["list-append"] = "list-append"
    model: ClassVar[str] = "list-append"
    consistency_models: tuple[str, ...] | None = DEFAULT_MODELS
    """The consistency models that the history should hold."""
    anomalies: tuple[str, ...] = ()
    """Anomalies that must not be there either."""

    @field_validator("anomalies")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(known_anomaly, names))

    def analyse(self, history: History) -> ResultMap:
        """Judge all transactions together."""
        return check_list_append(history, Expected(self.consistency_models or (), self.anomalies))
