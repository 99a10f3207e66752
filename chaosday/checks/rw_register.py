"""Transactions over registers hold the isolation they promise."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import JsonValue, field_validator

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.consistency import known_anomaly
from chaosday.checkers.elle import DEFAULT_MODELS, Expected
from chaosday.checkers.isolation import check_sessions, sessions_only
from chaosday.checkers.rw_register import check_rw_register
from chaosday.checkers.versions import Sources
from chaosday.model.history import History


class RwRegister(HistoryCheck):
    """Reads and unique writes of registers in transactions; histories without times by their sessions."""

    kind: Literal["rw-register"] = "rw-register"
    model: ClassVar[str] = "rw-register"
    consistency_models: tuple[str, ...] | None = DEFAULT_MODELS
    """The consistency models that the history should hold."""
    anomalies: tuple[str, ...] = ()
    """Anomalies that must not be there either."""
    wfr_keys: bool = False
    """Whether a transaction that reads and writes a key wrote after what it read."""
    sequential_keys: bool = False
    """Whether each process sees every key move on."""
    linearizable_keys: bool = False
    """Whether real time sees every key move on."""
    transaction_order: dict[str, int] = {}
    """From a transaction's index to its place in the order of writes, where that is known."""
    initial: JsonValue = None
    """What a key holds before anybody writes it."""
    excerpt: bool = False
    """Whether what is read may have been written before the history began."""

    @field_validator("anomalies")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(known_anomaly, names))

    def analyse(self, history: History) -> ResultMap:
        """Judge all transactions together."""
        models = self.consistency_models or ()
        if sessions_only(history):
            return check_sessions(history, models, initial=self.initial)
        sources = Sources(
            self.wfr_keys,
            self.sequential_keys,
            self.linearizable_keys,
            self.transaction_order,
            self.excerpt,
            self.initial,
        )
        return check_rw_register(history, Expected(models, self.anomalies), sources)
