"""Reads of all balances add up."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.snapshots import check_bank
from chaosday.model.history import History


class BankHistory(HistoryCheck):
    """Every read of a bank has the same total, all its accounts, and no debts."""

    kind: Literal["bank-history"] = "bank-history"
    model: ClassVar[str] = "bank"
    asks: ClassVar[tuple[str, ...]] = ("read", "transfer", "txn")
    accounts: list[int | str] | None = None
    """Every account there is; None takes any."""
    total_amount: int | None = None
    """What all balances add up to; None takes what most reads saw."""
    negative_balances: bool = False
    """Whether an account may be overdrawn."""

    def analyse(self, history: History) -> ResultMap:
        """Judge every read."""
        return check_bank(
            history,
            accounts=self.accounts,
            total_amount=self.total_amount,
            negative_balances=self.negative_balances,
        )
