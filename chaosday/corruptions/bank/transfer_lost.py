"""An acknowledged transfer that left no trace: both of its sides are missing, and the total is right."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.clients.bank import Transfers, transfers
from chaosday.model.corruption import NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import OK, UNKNOWN
from chaosday.planting.bank_planting import BankCorruption
from chaosday.planting.planting import pick, with_cells

# More unknown transfers than this have too many outcomes to go through.
UNKNOWN_AT_MOST = 10


class TransferLost(BankCorruption):
    """Undoes acknowledged transfers in the final balances, as a failover to a lagging replica does.

    Equivalent where the undone ones cancel out, or where another outcome of the unknown transfers
    gives the same balances; with very many unknown ones that cannot be told, and it does not apply.
    """

    kind: Literal["transfer_lost"] = "transfer_lost"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table, moved = self.rows(evidence), transfers(evidence.history())
        facts = self.facts(evidence)
        undone = moved.where(
            np.isin(np.arange(len(moved)), pick(rng, np.flatnonzero(moved.status == OK), size, "transfers"))
        )
        accounts = table["account"].to_pylist()
        effect = dict(zip(accounts, undone.effect(accounts).tolist(), strict=True))
        hit = [account for account in accounts if effect[account]]
        held = dict(zip(accounts, table["balance"].to_pylist(), strict=True))
        held = {account: balance - effect[account] for account, balance in held.items()}
        damaged = with_cells(table, "balance", np.arange(len(accounts)), list(held.values()))
        sure = moved.where(moved.status == OK).effect(accounts)
        needed = {a: held[a] - (facts.opening or 0) - int(done) for a, done in zip(accounts, sure, strict=True)}
        planted = self.planted(evidence, damaged, hit)
        if not hit or _reachable(moved.where(moved.status == UNKNOWN), needed):
            return Planted(planted.evidence, frozenset(), planted.keys)
        return planted


def _reachable(unknown: Transfers, needed: dict[int, int]) -> bool:
    """Whether some of the unknown transfers add up to what is needed, tried one after the other."""
    if len(unknown) > UNKNOWN_AT_MOST:
        raise NotApplicable(f"{len(unknown)} transfers of unknown outcome could make up for a lost one")
    states = {tuple(sorted(needed.items()))}
    for source, sink, amount in zip(unknown.source, unknown.sink, unknown.amount, strict=True):
        for state in list(states):
            left = dict(state)
            left[int(source)] = left.get(int(source), 0) + int(amount)
            left[int(sink)] = left.get(int(sink), 0) - int(amount)
            states.add(tuple(sorted(left.items())))
    return any(all(value == 0 for _, value in state) for state in states)
