"""A bank run without a database, beside ``simulated``: transfers and reads against a sound store."""

from __future__ import annotations

from typing import Any

import numpy as np

from chaosday.clients.bank import SCHEMA, Facts
from chaosday.judging.simulated import Run
from chaosday.model.history import History

_TURN_NS = 50_000


def simulate_bank(
    operations: int, *, seed: int, accounts: int = 8, opening: int = 1_000, unsettled_share: float = 0.004
) -> tuple[Run, dict[str, Any]]:
    """Make up a bank run and the observation ``bank``; half of the unsettled transfers are unknown."""
    import pyarrow as pa

    rng = np.random.default_rng(seed)
    balance = dict.fromkeys(range(accounts), opening)
    operations_done: list[dict[str, Any]] = []
    for number in range(operations):
        common = {"process": 1000 + number % 4, "start_ns": number * _TURN_NS, "end_ns": (number + 3) * _TURN_NS - 1}
        if rng.random() < 0.3:
            shown = {str(account): held for account, held in balance.items()}
            operations_done.append({**common, "f": "read", "result": shown, "status": "ok"})
            continue
        source, sink = (int(account) for account in rng.choice(accounts, 2, replace=False))
        amount = int(rng.integers(1, 21))
        ending = rng.random()
        status = "ok" if ending >= unsettled_share else "unknown" if ending < unsettled_share / 2 else "failed"
        if balance[source] < amount:
            status = "failed"
        if status == "ok" or (status == "unknown" and rng.random() < 0.5):
            balance[source] -= amount
            balance[sink] += amount
        operations_done.append(
            {**common, "f": "transfer", "key": source, "value": {"to": sink, "amount": amount}, "status": status}
        )
    rows = pa.Table.from_arrays([pa.array(list(balance)), pa.array(list(balance.values()))], schema=SCHEMA)
    facts = Facts(accounts * opening, tuple(balance))
    return Run(History.from_rows(operations_done), rows), {"total": facts.total, "accounts": accounts}
