"""Reads of many things at once: balances that add up, forks, effects seen without their causes."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from chaosday.checkers.base import ResultMap, quiet, result_map
from chaosday.checkers.sets import elements_read
from chaosday.errors import MalformedHistory
from chaosday.model.history import OK, History, Token, in_order, to_json, token_of, value_of
from chaosday.record.transactions import COLUMN, Transactions


def check_bank(
    history: History,
    *,
    accounts: Sequence[Any] | None = None,
    total_amount: int | None = None,
    negative_balances: bool = False,
) -> ResultMap:
    """Every read of all balances has the same total, no account too many, none without a balance.

    Errors, one a read, in Jepsen's order: ``unexpected-key``, ``nil-balance``, ``wrong-total``,
    ``negative-value``. Without ``total_amount`` the total that most reads saw is taken for it.
    """
    reads = _balances(history)
    known = None if accounts is None else {str(account) for account in accounts}
    note = {}
    if total_amount is None and reads:
        totals = Counter(sum(map(_number, balances.values())) for _, balances in reads if None not in balances.values())
        total_amount = totals.most_common(1)[0][0] if totals else 0
        note = {"note": f"no total was given: {total_amount}, which most reads saw, is taken for it"}
    errors: dict[str, list[Any]] = {}
    for row, balances in reads:
        found = _bank_error(balances, known, total_amount or 0, negative_balances)
        if found:
            errors.setdefault(found["type"], []).append({"index": row, **found})
    count = sum(map(len, errors.values()))
    counts: dict[str, Any] = {"read-count": len(reads), "error-count": count, **note}
    return result_map(errors, examined=len(reads), **counts)


def check_long_fork(history: History, *, group_size: int = 2) -> ResultMap:
    """Of two reads of one group of keys, one must have seen all that the other saw (Jepsen's ``long-fork``).

    Every key is written once; what nobody wrote is an ``unwritten-read``. Reads of another size than ``group_size``,
    or of two values for one key, mean that the history is not of that workload: unknown, with the reason.
    """
    txns = Transactions.of(history)
    mops = [txns.mops(t) for t in range(len(txns))]
    ok = history.statuses() == OK
    reads = [t for t in np.flatnonzero(ok) if all(mop[0] == "r" for mop in mops[t])]
    writes = Counter(token_of(one[0][1]) for one in mops if len(one) == 1 and one[0][0] == "w")
    seen = [{token_of(key): token_of(value) for _, key, value in mops[t]} for t in reads]
    counts: dict[str, Any] = {
        "reads-count": len(reads),
        "early-read-count": sum(all(value is None for value in one.values()) for one in seen),
        "late-read-count": sum(all(value is not None for value in one.values()) for one in seen),
    }
    examined = len(reads) + writes.total()
    unsure = [f"multiple-writes: key {key} is written {times} times" for key, times in writes.items() if times > 1]
    groups: dict[frozenset[Any], list[int]] = {}
    for n, one in enumerate(seen):
        if len(one) != group_size:
            unsure.append(f"illegal-history: every read should be of {group_size} keys, operation {reads[n]} is not")
            break
        groups.setdefault(frozenset(one), []).append(n)
    values: dict[Any, Any] = {}
    for key, value in ((key, value) for one in seen for key, value in one.items() if value is not None):
        if values.setdefault(key, value) != value:
            unsure.append(f"illegal-history: key {key} was read as {values[key]} and as {value}")
            break
    if unsure:
        return result_map({}, examined=examined, unsure=unsure, **counts)
    written = {(token_of(key), token_of(value)) for one in mops for f, key, value in one if f != "r"}
    nowhere = [
        {"read": int(reads[n]), "values": mops[reads[n]]}
        for n, one in enumerate(seen)
        if any(value is not None and (key, value) not in written for key, value in one.items())
    ]
    forks = [pair for members in groups.values() for pair in _forks([seen[n] for n in members], members)]
    cases = [{"reads": [int(reads[a]), int(reads[b])], "values": [mops[reads[a]], mops[reads[b]]]} for a, b in forks]
    found = {"long-fork": cases, "unwritten-read": nowhere}
    return result_map(found, examined=examined, **counts, forks=[case["values"] for case in cases])


def check_causal_reverse(history: History) -> ResultMap:
    """Whoever sees a write also sees every write that had been acknowledged before that one began; what nobody wrote
    is ``unexpected``."""
    status, start, end = history.statuses(), history.integers("start_ns"), history.integers("end_ns", null=-1)
    writes = np.flatnonzero(history.is_f("write"))
    values = history.tokens("value")
    began = {values[row]: int(start[row]) for row in writes[np.argsort(start[writes], kind="stable")]}
    done = writes[status[writes] == OK]
    done = done[np.argsort(end[done], kind="stable")]
    done_at, done_value = end[done], [values[row] for row in done]
    reads = np.flatnonzero(history.is_f("read") & (status == OK))
    results, cases, nils = history.values("result"), [], 0
    unexpected: set[Token | None] = set()
    for row in reads:
        read = elements_read(results, int(row))
        if read is None:
            nils += 1
            continue
        seen = set(read)
        unexpected |= seen - began.keys()
        latest = max((began[item] for item in seen if item in began), default=-1)
        expected = done_value[: int(np.searchsorted(done_at, latest, side="left"))]
        missing = [item for item in expected if item not in seen]
        if missing:
            cases.append(
                {"index": int(row), "missing": list(map(value_of, missing)), "expected-count": len(set(expected))}
            )
    unsure = [f"{nils} reads answered nil"] if nils else []
    found = {"causal-reverse": cases, "unexpected": list(map(value_of, in_order(unexpected)))}
    return result_map(found, examined=len(writes) + len(reads), unsure=unsure, errors=cases)


def _balances(history: History) -> list[tuple[int, dict[str, Any]]]:
    """The ok reads with what they saw: a map, or a transaction that reads every account."""
    rows = np.flatnonzero(history.is_f("read", "txn") & (history.statuses() == OK))
    if COLUMN in history.table.column_names:
        txns = Transactions.of(history)
        mops = ((int(row), txns.mops(int(row))) for row in rows)
        return [
            (row, {str(key): value for _, key, value in one})
            for row, one in mops
            if one and all(f == "r" for f, _, _ in one)
        ]
    results, found = history.values("result"), []
    rows = np.flatnonzero(history.is_f("read") & (history.statuses() == OK))
    for row in rows:
        said = results[row]
        if not isinstance(said, dict):
            raise MalformedHistory(f"operation {quiet(row)}: a read of a bank is a map of balances, not {said!r}")
        found.append((int(row), {_plain(key): value for key, value in said.items()}))
    return found


def _bank_error(
    balances: dict[str, Any], accounts: set[str] | None, total: int, negative: bool
) -> dict[str, Any] | None:
    if accounts is not None and not accounts.issuperset(balances):
        return {"type": "unexpected-key", "unexpected": sorted(set(balances) - accounts)}
    nils = [account for account, balance in balances.items() if balance is None]
    if nils:
        return {"type": "nil-balance", "nils": nils}
    amounts = [_number(balance) for balance in balances.values()]
    if sum(amounts) != total:
        return {"type": "wrong-total", "total": sum(amounts)}
    below = [amount for amount in amounts if amount < 0]
    if below and not negative:
        return {"type": "negative-value", "negative": below}
    return None


def _number(balance: Any) -> Any:
    if isinstance(balance, bool) or not isinstance(balance, (int, float)):
        raise MalformedHistory(f"a balance is a number, not {to_json(balance)[:80]}")
    return balance


def _plain(key: Any) -> str:
    return str(key)


def _forks(seen: list[dict[Any, Any]], members: list[int]) -> list[tuple[int, int]]:
    # Sorted by size the reads of a total order are a chain of subsets; where one is not a subset
    # of the next, those two saw what the other did not.
    sets = [frozenset(key for key, value in one.items() if value is not None) for one in seen]
    order = sorted(range(len(sets)), key=lambda n: (len(sets[n]), members[n]))
    return [(members[a], members[b]) for a, b in itertools.pairwise(order) if not sets[a] <= sets[b]]
