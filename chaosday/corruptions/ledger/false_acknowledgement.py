"""A write acknowledged without having been stored."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.clients.ledger import operations
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import OK
from chaosday.planting.planting import LedgerCorruption, pick


class FalseAcknowledgement(LedgerCorruption):
    """Turns inserts that are not in the store into acknowledged ones: the lie of a cache that said
    "written" and was not. Never equivalent: what is acknowledged has to be there."""

    kind: Literal["false_acknowledgement"] = "false_acknowledgement"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table, history = self.rows(evidence), evidence.history()
        ops = operations(history)
        absent = ops.insert & (ops.status != OK) & ~np.isin(ops.key, ops.key[ops.status == OK])
        absent[absent] = ~np.isin(ops.key[absent], table["id"].to_numpy())
        at = pick(rng, np.flatnonzero(absent), size, "inserts that were not acknowledged and are absent")
        status = history.statuses().copy()
        status[np.isin(history.integers("index"), ops.index[at])] = OK
        damaged = evidence.replaced(history=history.with_column("status", status))
        return Planted(damaged, frozenset(ops.key[at].tolist()))
