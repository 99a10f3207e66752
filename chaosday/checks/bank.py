"""The bank check: no money is made or lost, during the run or after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from chaosday.clients.bank import Facts, Reads, Transfers, reads, transfers
from chaosday.errors import MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import KEYS_SHOWN, Anomaly, Finding, judged
from chaosday.model.history import FAILED, OK, UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray

# With this many unknown transfers every subset of them is tried; with more, each account by itself.
SUBSETS_OF = 12


class BankCheck(Check):
    """Judges every read during the run and the balances left at its end.

    Anomalies as in Jepsen's bank checker: ``wrong-total``, ``negative-value``, ``unexpected-key``,
    ``nil-balance``; and ``unexplained-balance``, where no choice among the unknown transfers makes the
    acknowledged ones add up to the final balance. Keys read ``operation 12`` or ``account 3``.
    """

    kind: Literal["bank"] = "bank"
    store: str = Field(default="bank", description="Name of the final balances that were read back")
    negative_allowed: bool = False

    needs: ClassVar[tuple[str, ...]] = ("history", "rows", "observations/bank")
    blind_to: ClassVar[tuple[str, ...]] = (
        "a read that shows an older state whose total is right",
        f"a lost transfer that more than {SUBSETS_OF} unknown ones could have made up for",
    )

    def judge(self, evidence: Evidence) -> Finding:
        """Judge reads and final balances; neither reads nor balances is inconclusive."""
        facts = Facts.of(evidence.observation("bank"))
        history = evidence.history()
        seen, moved = reads(history), transfers(history)
        table = evidence.rows(self.store)
        anomalies = _merged([*self._of_reads(seen, facts), *self._of_rows(table, moved, facts)])
        return judged(
            self.kind,
            examined=len(seen.index) + table.num_rows,
            unit="reads and final balances",
            anomalies=anomalies,
            unsure=[] if len(seen.index) or len(moved) else ["no transfer and no read was made"],
            blind_to=list(self.blind_to),
            result={
                "reads": len(seen.index),
                "acknowledged": int(np.count_nonzero(moved.status == OK)) + len(seen.index),
                "unknown": int(np.count_nonzero(moved.status == UNKNOWN)),
                "failed": int(np.count_nonzero(moved.status == FAILED)),
                "accounts": table.num_rows,
                "total": facts.total,
            },
        )

    def _of_reads(self, seen: Reads, facts: Facts) -> list[tuple[str, list[str]]]:
        if not len(seen.index):
            return []
        expected = np.isin(np.array(seen.accounts, dtype=np.int64), facts.accounts)
        absent = len(set(facts.accounts) - set(seen.accounts))
        nil = (~seen.known[:, expected]).any(axis=1) | bool(absent)
        total = np.where(seen.known, seen.balance, 0).sum(axis=1)
        found = {
            "wrong-total": total != facts.total,
            "negative-value": (seen.known & (seen.balance < 0)).any(axis=1) & (not self.negative_allowed),
            "unexpected-key": seen.known[:, ~expected].any(axis=1),
            "nil-balance": nil,
        }
        return [(name, [f"operation {index}" for index in seen.index[mask]]) for name, mask in found.items()]

    def _of_rows(self, table: pa.Table, moved: Transfers, facts: Facts) -> list[tuple[str, list[str]]]:
        account, balance, known = _rows(table)
        listed = np.array(facts.accounts, dtype=np.int64)
        expected = np.isin(account, listed)
        present, times = np.unique(account[known & expected], return_counts=True)
        negative = known & (balance < 0) & (not self.negative_allowed)
        found = [
            ("wrong-total", ["final"] if int(balance[known].sum()) != facts.total else []),
            ("negative-value", _accounts(account[negative])),
            ("unexpected-key", _accounts([*account[~expected], *present[times > 1]])),
            ("nil-balance", _accounts(np.setdiff1d(listed, present))),
        ]
        if facts.opening is not None and len(present) == len(listed) and (times == 1).all():
            mine = np.flatnonzero(known & expected)
            order = mine[np.argsort(account[mine])]
            at = order[np.argsort(np.argsort(listed))]
            found.append(("unexplained-balance", _accounts(_unexplained(balance[at], moved, facts))))
        return found


def _rows(table: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    try:
        account, balance = (table[name].cast(pa.int64()) for name in ("account", "balance"))
    except (KeyError, pa.ArrowInvalid):
        raise MalformedInput("final balances need the columns account and balance, whole numbers") from None
    known = balance.is_valid().to_numpy()
    return _filled(account), _filled(balance), known


def _filled(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(column.fill_null(-1).to_numpy(), dtype=np.int64)


def _unexplained(balance: NDArray[np.int64], moved: Transfers, facts: Facts) -> NDArray[np.int64]:
    """Accounts whose final balance no choice among the unknown transfers explains.

    Each account by itself must lie between the acknowledged effect with every unknown debit and the
    same with every unknown credit. Where that is not enough to convict and the unknown ones are few,
    one choice has to explain all accounts at once; if none does, every account they touch is named.
    """
    accounts = np.array(facts.accounts, dtype=np.int64)
    sure = int(facts.opening or 0) + moved.where(moved.status == OK).effect(facts.accounts)
    open_ones = moved.where(moved.status == UNKNOWN)
    low, high = sure - open_ones.debits(facts.accounts), sure + open_ones.credits(facts.accounts)
    outside = (balance < low) | (balance > high)
    if outside.any() or not 0 < len(open_ones) <= SUBSETS_OF:
        return accounts[outside]
    effects = np.stack(
        [open_ones.where(np.arange(len(open_ones)) == n).effect(facts.accounts) for n in range(len(open_ones))]
    )
    choices = (np.arange(1 << len(open_ones))[:, None] >> np.arange(len(open_ones))) & 1
    touched = np.flatnonzero(low < high)
    explained = (choices @ effects[:, touched] == (balance - sure)[touched]).all(axis=1).any()
    return accounts[touched] if not explained else accounts[:0]


def _accounts(numbers: Iterable[np.int64]) -> list[str]:
    return [f"account {number}" for number in numbers]


def _merged(found: Sequence[tuple[str, list[str]]]) -> list[Anomaly]:
    keys: dict[str, list[int | str]] = {}
    for name, named in found:
        keys.setdefault(name, []).extend(named)
    return [Anomaly(name=name, count=len(named), keys=named[:KEYS_SHOWN]) for name, named in keys.items() if named]
