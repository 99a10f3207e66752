"""What is wrong inside one transaction on a list: reads against its own reads and appends."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chaosday.checkers.append_orders import Columns, Orders
from chaosday.checkers.lookup import Ints, same_before
from chaosday.record.transactions import READ, Transactions


def internal_cases(orders: Orders, ok: NDArray[np.bool_]) -> tuple[list[int], list[int]]:
    """Transactions that read what contradicts themselves, and that read what they append only later.

    The first is Cerone, Bernardi and Gotsman's axiom INT. Candidates are found by comparing columns
    (a read on a key that the transaction touched before, whose length does not follow; an append of
    an element that an earlier read of the transaction is long enough to hold) and then gone through.
    """
    txns = orders.txns
    owner = txns.owner
    suspects_int = np.zeros(len(txns), dtype=bool)
    suspects_future = np.zeros(len(txns), dtype=bool)
    nearest = np.full(len(txns.key), -1, dtype=np.int64)
    for earlier, later in same_before(owner, txns.key, txns.longest):
        later_read = txns.f[later] == READ
        new = nearest[later] < 0
        nearest[later[new]] = earlier[new]
        after = ~later_read & (txns.f[earlier] == READ)
        _mark_future(orders, earlier[after], later[after], suspects_future)
    _mark_following(txns, orders.columns, nearest, suspects_int)
    strange = np.unique(owner[orders.odd[txns.key]]) if orders.odd.any() else np.zeros(0, dtype=np.int64)
    suspects_int[strange] = True
    suspects_future[strange] = True
    contradicted = [t for t in np.flatnonzero(suspects_int & ok).tolist() if contradicts_itself(txns.mops(t))]
    foreseen = [t for t in np.flatnonzero(suspects_future & ok).tolist() if foresees(txns.mops(t))]
    return contradicted, foreseen


def _mark_following(txns: Transactions, columns: Columns, nearest: Ints, suspects: NDArray[np.bool_]) -> None:
    """Walk back from each read over the appends before it to the read before those, all reads at once.

    It has to end in what was appended, and to be longer by as much than the read before.
    """
    lengths, elements, values = txns.lengths, columns.elements, columns.values
    reads = np.flatnonzero((nearest >= 0) & (txns.f == READ))
    ends = txns.list_first[reads + 1]
    back, appended = nearest[reads], np.zeros(len(reads), dtype=np.int64)
    wrong = np.zeros(len(reads), dtype=bool)
    while (active := (back >= 0) & (txns.f[back] != READ)).any():
        at = np.flatnonzero(active)
        appended[at] += 1
        there = lengths[reads[at]] >= appended[at]
        shown = elements[np.where(there, ends[at] - appended[at], 0)] if len(elements) else np.zeros(len(at))
        wrong[at] |= ~there | (shown != values[back[at]])
        back[at] = nearest[back[at]]
    based = back >= 0
    wrong[based] |= lengths[reads[based]] != lengths[back[based]] + appended[based]
    suspects[txns.owner[reads[wrong]]] = True


def _mark_future(orders: Orders, reads: Ints, appends: Ints, suspects: NDArray[np.bool_]) -> None:
    txns = orders.txns
    place = orders.place.find(orders.code(txns.key[appends], orders.columns.values[appends]))
    index = place - orders.first[txns.key[appends]]
    bad = (place >= 0) & (txns.lengths[reads] > index)
    suspects[txns.owner[appends[bad]]] = True


def contradicts_itself(mops: list[list[Any]]) -> dict[str, Any] | None:
    """The first read that its transaction's own reads and appends do not explain, with what was expected."""
    state: dict[Any, tuple[bool, list[Any]]] = {}
    for f, key, value in mops:
        known, expected = state.get(key, (False, []))
        if f == "append":
            state[key] = (known, [*expected, value])
            continue
        seen = value or []
        if key in state:
            tail = seen[len(seen) - len(expected) :] if len(seen) >= len(expected) else None
            if (known and seen != expected) or (not known and tail != expected):
                return {"mop": [f, key, value], "expected": expected if known else ["...", *expected]}
        state[key] = (True, list(seen))
    return None


def foresees(mops: list[list[Any]]) -> dict[str, Any] | None:
    """The first read of an element that the same transaction appends only later."""
    reads: list[list[Any]] = []
    for f, key, value in mops:
        if f != "append":
            reads.append([f, key, value])
            continue
        for read in reads:
            if read[1] == key and value in (read[2] or []):
                return {"mop": read, "element": value}
    return None


def intermediate(txns: Transactions) -> NDArray[np.bool_]:
    """Appends (and writes) after which the same transaction wrote the same key again."""
    flags = np.zeros(len(txns.key), dtype=bool)
    writes = txns.f != READ
    for earlier, later in same_before(txns.owner, txns.key, txns.longest):
        flags[earlier[writes[earlier] & writes[later]]] = True
    return flags


def read_then_written(txns: Transactions, ok: NDArray[np.bool_]) -> Ints:
    """The first read of each key that an ``ok`` transaction wrote afterwards: what its update was based on."""
    owner = txns.owner
    is_read = (txns.f == READ) & ok[owner]
    later_read = np.zeros(len(txns.key), dtype=bool)
    based = np.zeros(len(txns.key), dtype=bool)
    for earlier, later in same_before(owner, txns.key, txns.longest):
        both = is_read[earlier]
        later_read[later[both & is_read[later]]] = True
        based[earlier[both & (txns.f[later] != READ)]] = True
    return np.flatnonzero(based & is_read & ~later_read)
