"""What the corruptions of a bank need beside ``planting``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np
import orjson
import pyarrow as pa
from pydantic import Field

from chaosday.clients.bank import Facts, is_bank, reading
from chaosday.model.corruption import Corruption, NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import pick, with_cells


class BankCorruption(Corruption):
    """Damage to a bank's final balances, or to what was read during its run.

    Damaged keys are in the words of the bank check: ``account 3``, ``operation 12``.
    """

    stores: ClassVar[tuple[str, ...]] = ("bank",)
    store: str = Field(default="bank", description="Name of the final balances that were read back")

    def rows(self, evidence: Evidence) -> pa.Table:
        """The final balances; ``NotApplicable`` where the run holds none."""
        if not evidence.has(f"rows/{self.store}") or not evidence.has("observations/bank"):
            raise NotApplicable("no bank was read back")
        table = evidence.rows(self.store)
        if not is_bank(table):
            raise NotApplicable(f"rows/{self.store} is not a bank")
        return table

    def facts(self, evidence: Evidence) -> Facts:
        """What the bank was opened with."""
        self.rows(evidence)
        return Facts.of(evidence.observation("bank"))

    def planted(self, evidence: Evidence, table: pa.Table, accounts: Iterable[int]) -> Planted:
        """The evidence with these final balances."""
        keys: frozenset[int | str] = frozenset(f"account {account}" for account in accounts)
        return Planted(evidence.replaced(rows={self.store: table}), keys)

    def reread(
        self,
        evidence: Evidence,
        size: int,
        rng: np.random.Generator,
        damage: Callable[[dict[str, int | None], Facts], dict[str, int | None]],
    ) -> Planted:
        """The evidence with ``size`` acknowledged reads showing what ``damage`` makes of them."""
        facts, history = self.facts(evidence), evidence.history()
        at = pick(rng, np.flatnonzero(reading(history)), size, "acknowledged reads of all balances")
        shown: list[Any] = [orjson.loads(text) for text in history.table["result"].take(pa.array(at)).to_pylist()]
        lists = [isinstance(balances, list) for balances in shown]
        by_account = [
            {str(n): balance for n, balance in enumerate(balances)} if is_list else balances
            for balances, is_list in zip(shown, lists, strict=True)
        ]
        damaged = [damage(dict(balances), facts) for balances in by_account]
        texts = [
            orjson.dumps(list(balances.values()) if is_list else balances).decode()
            for balances, is_list in zip(damaged, lists, strict=True)
        ]
        table = with_cells(history.table, "result", at, texts)
        index = history.integers("index")[at]
        keys: frozenset[int | str] = frozenset(f"operation {number}" for number in index)
        return Planted(evidence.replaced(history=type(history)(table)), keys)
