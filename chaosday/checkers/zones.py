"""Registers whose written values are unique: linearizability in O(n log n), all keys at once.

All operations of one value (its write and the reads that saw it) are a cluster. Of two clusters one
has to come wholly first; each has an operation that ends before one of the other begins exactly if
they cannot be ordered, and a history is linearizable exactly if no pair is of that kind (Gibbons
and Korach, "Testing shared memories", SIAM J. Comput. 26(4), 1997). With ``low`` the earliest end
and ``high`` the latest start in a cluster, a pair is bad if ``low1 < high2 and low2 < high1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chaosday.checkers.base import SHOWN
from chaosday.checkers.coding import NULL, Coded, Ints
from chaosday.checkers.lookup import Lookup
from chaosday.model.history import FAILED, NEVER_NS, OK, History

_BEFORE_NS = -1


@dataclass(frozen=True)
class Registers:
    """A history of registers as columns; ``value`` is what was written or read, in the codes of ``coded``.

    ``key`` counts from 0; ``reads`` and ``writes`` are masks of the operations that count: reads
    that ended ok, writes that did not fail.
    """

    key: Ints
    keys: int
    value: Ints
    coded: Coded
    reads: NDArray[np.bool_]
    writes: NDArray[np.bool_]
    start: Ints
    end: Ints
    initial: int


@dataclass(frozen=True)
class Zoned:
    """What the zones say: anomalies by name, and the keys that this method cannot judge."""

    anomalies: dict[str, list[dict[str, Any]]]
    repeated_keys: Ints


def registers(history: History, keys: Coded, values: Coded, *, initial: Any, nil_is_wild: bool) -> Registers:
    """Lay out a history; with ``nil_is_wild`` a read of nil says nothing and does not count."""
    status = history.statuses()
    asked, got = values.columns
    end = history.ends_ns()
    is_read = history.is_f("read", "r")
    reads = is_read & (status == OK)
    if nil_is_wild:
        reads &= got != NULL
    return Registers(
        key=np.maximum(keys.columns[0], 0),
        keys=max(keys.distinct, 1),
        value=np.where(is_read, got, asked),
        coded=values,
        reads=reads,
        writes=history.is_f("write", "w") & (status != FAILED),
        start=history.integers("start_ns"),
        end=end,
        initial=values.code(initial),
    )


def judge(layout: Registers, name_key: Any) -> Zoned:
    """Find the keys whose history cannot be linearized; ``name_key`` turns a key's code into its name."""
    writes = np.flatnonzero(layout.writes)
    reads, slot, repeated, anomalies = _matched(layout, name_key, writes)
    low, high = _zones(layout, writes, reads, slot)
    del reads, slot
    key = np.concatenate([layout.key[writes], np.arange(layout.keys, dtype=layout.key.dtype)])
    alive = (low != NEVER_NS) & ~repeated[key]
    anomalies["stale-read"] = [
        _conflict(layout, name_key, writes, a, b) for a, b in _conflicts(key, low, high, alive)[:SHOWN]
    ]
    return Zoned(anomalies, np.flatnonzero(repeated))


def _matched(
    layout: Registers, name_key: Any, writes: Ints
) -> tuple[Ints, Ints, NDArray[np.bool_], dict[str, list[dict[str, Any]]]]:
    """The reads that count with the slots of what they saw, the keys without unique writes, and odd reads.

    Slots: one for each write, then one for each key's initial value.
    """
    write_of, repeated = _written(layout, writes)
    reads, slots = np.flatnonzero(layout.reads), len(writes)
    reads = reads[~repeated[layout.key[reads]]]
    value = layout.value[reads]
    slot = np.where(value == layout.initial, slots + layout.key[reads], write_of.find(layout.key[reads], value))
    unwritten = reads[slot < 0]
    reads, slot = reads[slot >= 0], slot[slot >= 0]
    by_write = np.flatnonzero(slot < slots)
    early = reads[by_write][layout.end[reads[by_write]] < layout.start[writes[slot[by_write]]]]
    return (
        reads,
        slot,
        repeated,
        {
            "unwritten-read": [_case(layout, name_key, row) for row in unwritten[:SHOWN].tolist()],
            "future-read": [_case(layout, name_key, row) for row in early[:SHOWN].tolist()],
        },
    )


@dataclass(frozen=True)
class _Writes:
    """Which write wrote a value to a key: a table by value where no two keys share one, by both otherwise."""

    keys: Ints
    by_value: bool
    size: int
    lookup: Lookup

    def find(self, key: Ints, value: Ints) -> Ints:
        """The number of the write, -1 if nobody wrote that (nil is nobody's)."""
        present = np.where(value == NULL, 0, value)
        if not self.by_value:
            found = self.lookup.find(key.astype(np.int64) * self.size + present)
            return np.where(value == NULL, -1, found)
        found = self.lookup.find(present)
        right = (found >= 0) & (value != NULL)
        if len(self.keys):
            right &= self.keys[found] == key
        return np.where(right, found, -1)


def _written(layout: Registers, writes: Ints) -> tuple[_Writes, NDArray[np.bool_]]:
    """The writes by value, and the keys that have no unique writes: a value written twice, initial or nil."""
    value, key, size = layout.value[writes], layout.key[writes], max(layout.coded.distinct, 1)
    present = np.where(value == NULL, 0, value)
    repeated = np.zeros(layout.keys, dtype=bool)
    repeated[key[(value == layout.initial) | (value == NULL)]] = True
    lookup, by_value = Lookup(present, size), True
    if len(lookup.repeated(present)):
        codes, by_value = key.astype(np.int64) * size + present, False
        lookup = Lookup(codes, layout.keys * size)
        repeated[key[lookup.repeated(codes)]] = True
    return _Writes(key, by_value, size, lookup), repeated


def _zones(layout: Registers, writes: Ints, reads: Ints, slot: Ints) -> tuple[Ints, Ints]:
    """Earliest end and latest start of each slot's cluster; an end of never is no cluster.

    A write without an answer that nobody read may not have happened: it is left out. If it was
    read, its own end is never, which changes nothing in the minimum.
    """
    nobody = np.full(layout.keys, _BEFORE_NS, dtype=np.int64)
    low = np.concatenate([layout.end[writes], nobody])
    high = np.concatenate([layout.start[writes], nobody])
    np.minimum.at(low, slot, layout.end[reads])
    np.maximum.at(high, slot, layout.start[reads])
    return low, high


def _conflicts(key: Ints, low: Ints, high: Ints, alive: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Pairs of slots that cannot be ordered; at least one of every bad key."""
    forward = np.flatnonzero(alive & (low < high))
    forward = forward[np.lexsort((low[forward], key[forward]))]
    a, b = forward[:-1], forward[1:]
    overlap = (key[a] == key[b]) & (low[b] < high[a]) & (low[a] < high[b])
    found = list(zip(a[overlap].tolist(), b[overlap].tolist(), strict=True))
    bad = np.zeros(int(key.max(initial=-1)) + 1, dtype=bool)
    bad[key[a[overlap]]] = True
    backward = np.flatnonzero(alive & (low >= high) & ~bad[key]) if len(bad) else np.zeros(0, dtype=np.int64)
    # Of disjoint forward zones only the last that begins before a backward zone can contain it.
    both = np.concatenate([backward, forward])
    is_forward = np.concatenate([np.zeros(len(backward), bool), np.ones(len(forward), bool)])
    at = np.where(is_forward, low[both], high[both])
    order = np.lexsort((is_forward, at, key[both]))  # at one instant the backward zone comes first
    del at
    last = np.maximum.accumulate(np.where(is_forward[order], np.arange(len(order)), -1))
    mine = np.flatnonzero(~is_forward[order] & (last >= 0))
    inner, outer = both[order[mine]], both[order[last[mine]]]
    inside = (key[inner] == key[outer]) & (low[outer] < high[inner]) & (low[inner] < high[outer])
    return found + list(zip(outer[inside].tolist(), inner[inside].tolist(), strict=True))


def _case(layout: Registers, name_key: Any, row: int) -> dict[str, Any]:
    return {
        "key": name_key(int(layout.key[row])),
        "value": layout.coded.name(int(layout.value[row])),
        "operations": [row],
    }


def _conflict(layout: Registers, name_key: Any, writes: Ints, a: int, b: int) -> dict[str, Any]:
    """The two values and the operations that order them both ways."""
    key, codes = int((layout.key[writes[a]]) if a < len(writes) else a - len(writes)), []
    witnesses: set[int] = set()
    for slot in (a, b):
        code = int(layout.value[writes[slot]]) if slot < len(writes) else layout.initial
        codes.append(code)
        rows = np.flatnonzero((layout.reads | layout.writes) & (layout.key == key) & (layout.value == code))
        if len(rows):
            witnesses |= {int(rows[np.argmin(layout.end[rows])]), int(rows[np.argmax(layout.start[rows])])}
    values = [layout.coded.name(code) if code >= NULL else "the initial value" for code in codes]
    return {"key": name_key(key), "values": values, "operations": sorted(witnesses)}
