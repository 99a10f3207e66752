"""The partial order of a register's versions, as far as transactions over registers tell.

A version is a key and a value of it; nil is the version every key begins with. What comes before
what is inferred from up to five sources, each of which may contradict those before it: then it is
left out, and the contradiction is an anomaly (``cyclic-versions``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chaosday.checkers.elle import Timeline
from chaosday.checkers.graph import NEVER, grouped, strong_labels
from chaosday.checkers.lookup import Ints, code_of, same_before
from chaosday.record.transactions import NIL, READ, Transactions


@dataclass(frozen=True)
class Sources:
    """What the order of versions may be inferred from, beside that nil is the first.

    ``wfr_keys``: a transaction that reads and writes a key wrote after what it read.
    ``sequential_keys``: each process sees every key move on. ``linearizable_keys``: so does real
    time. ``transaction_order``: from a transaction's index to its place. ``excerpt``: what is read may be written
    before the history began; otherwise nobody wrote it. ``initial``: what a key held then, beside nil.
    """

    wfr_keys: bool = False
    sequential_keys: bool = False
    linearizable_keys: bool = False
    transaction_order: Mapping[str, int] = field(default_factory=dict)
    excerpt: bool = False
    initial: Any = None


NO_SOURCES = Sources()


@dataclass
class Versions:
    """Numbered versions. ``reads`` and ``writes`` are the external ones: a transaction's first read of
    a key that it had not written, and its last write; ``version`` numbers every micro-operation's."""

    txns: Transactions
    version: Ints
    key: Ints
    value: Ints
    reads: NDArray[np.bool_]
    writes: NDArray[np.bool_]
    source: Ints
    target: Ints
    sources: list[str]
    cyclic: list[dict[str, Any]]

    def name(self, version: int) -> Any:
        """The value of a version."""
        return self.txns.name_of_value(int(self.value[version]))


def versions(txns: Transactions, timeline: Timeline, wanted: Sources) -> Versions:
    """Number the versions and infer their order."""
    low = int(txns.value[txns.value != NIL].min(initial=0))
    values = np.where(txns.value == NIL, 0, txns.value - low + 1)
    size = int(values.max(initial=0)) + 1
    codes = code_of(txns.key, values, size)
    # Every key has its nil version, whether anybody read it or not.
    every, inverse = np.unique(np.concatenate([codes, np.arange(txns.keys) * size]), return_inverse=True)
    value = every % size
    found = Versions(
        txns=txns,
        version=inverse[: len(codes)],
        key=every // size,
        value=np.where(value == 0, NIL, value + low - 1),
        reads=external_reads(txns),
        writes=external_writes(txns),
        source=np.zeros(0, dtype=np.int64),
        target=np.zeros(0, dtype=np.int64),
        sources=[],
        cyclic=[],
    )
    for name, source, target in _inferred(found, timeline, wanted, inverse[len(codes) :]):
        _add(found, name, source, target)
    return found


def external_reads(txns: Transactions) -> NDArray[np.bool_]:
    """Reads of keys that their transaction had not touched before."""
    external: NDArray[np.bool_] = txns.f == READ
    for _, later in same_before(txns.owner, txns.key, txns.longest):
        external[later] = False
    return external


def external_writes(txns: Transactions) -> NDArray[np.bool_]:
    """Writes of keys that their transaction did not write again."""
    writes: NDArray[np.bool_] = txns.f != READ
    external = writes.copy()
    for earlier, later in same_before(txns.owner, txns.key, txns.longest):
        external[earlier[writes[later]]] = False
    return external


def _add(found: Versions, name: str, source: Ints, target: Ints) -> None:
    differ = source != target
    both = np.concatenate([found.source, source[differ]]), np.concatenate([found.target, target[differ]])
    contradictions = grouped(strong_labels(len(found.key), *both))
    tried = [*found.sources, name]
    if contradictions:
        for members in contradictions:
            values = [found.name(version) for version in members.tolist()]
            key = found.txns.key_names[int(found.key[members[0]])]
            found.cyclic.append({"key": key, "scc": values, "sources": tried})
        return
    found.source, found.target = both
    found.sources = tried


def _inferred(found: Versions, timeline: Timeline, wanted: Sources, nil: Ints) -> Iterator[tuple[str, Ints, Ints]]:
    txns, owner = found.txns, found.txns.owner
    ok, possible = timeline.ok[owner], timeline.possible[owner]
    seen = np.flatnonzero(((found.writes & possible) | (found.reads & ok)) & (txns.value != NIL))
    later = np.unique(found.version[seen])
    yield "initial-state", nil[found.key[later]], later
    if wanted.wfr_keys:
        yield "wfr-keys", *_writes_follow_reads(found, ok)
    if wanted.sequential_keys:
        yield "sequential-keys", *_along(found, ok, timeline.process, timeline.index)
    if wanted.linearizable_keys:
        yield "linearizable-keys", *_realtime(found, timeline, ok, possible)
    if wanted.transaction_order:
        place = np.array([wanted.transaction_order.get(str(index), -1) for index in timeline.index.tolist()])
        known = ok & (place[owner] >= 0)
        # Given from outside it is the order of writes; what was read is for the check to compare with it.
        nothing = np.zeros(len(known), dtype=bool)
        yield "transaction-order", *_along(found, known, np.zeros(len(txns), dtype=np.int64), place, nothing)


def _writes_follow_reads(found: Versions, ok: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    txns = found.txns
    sources, targets = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    readable = found.reads & ok & (txns.value != NIL)
    for earlier, later in same_before(txns.owner, txns.key, txns.longest):
        pair = readable[earlier] & found.writes[later]
        sources.append(found.version[earlier[pair]])
        targets.append(found.version[later[pair]])
    return np.concatenate(sources), np.concatenate(targets)


def _touched(found: Versions, counts: NDArray[np.bool_], ok: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints, Ints]:
    """Each transaction and key once, with the version it met first and the one it left."""
    txns = found.txns
    reads, writes = np.flatnonzero(found.reads & counts & ok), np.flatnonzero(found.writes & counts)
    rows = np.concatenate([reads, writes])
    pair = txns.owner[rows].astype(np.int64) * txns.keys + txns.key[rows]
    distinct, group = np.unique(pair, return_inverse=True)
    met, left = np.full(len(distinct), -1, dtype=np.int64), np.full(len(distinct), -1, dtype=np.int64)
    version = found.version[rows]
    write = np.arange(len(rows)) >= len(reads)
    met[group[write]] = version[write]
    met[group[~write]] = version[~write]
    left[group[~write]] = version[~write]
    left[group[write]] = version[write]
    return distinct // txns.keys, distinct % txns.keys, met, left


def _along(
    found: Versions, counts: NDArray[np.bool_], line: Ints, place: Ints, read: NDArray[np.bool_] | None = None
) -> tuple[Ints, Ints]:
    """What a transaction left comes before what the next in line that touches the key met."""
    txn, key, met, left = _touched(found, counts, counts if read is None else read)
    order = np.lexsort((place[txn], key, line[txn]))
    a, b = order[:-1], order[1:]
    same = (line[txn[a]] == line[txn[b]]) & (key[a] == key[b])
    return left[a[same]], met[b[same]]


def _realtime(
    found: Versions, timeline: Timeline, ok: NDArray[np.bool_], possible: NDArray[np.bool_]
) -> tuple[Ints, Ints]:
    """The same for every next transaction in real time, key by key, without what others imply."""
    txn, key, met, left = _touched(found, possible, ok)
    order = np.argsort(key, kind="stable")
    sources, targets = [], []
    for members in np.split(order, np.flatnonzero(np.diff(key[order])) + 1):
        start = timeline.start[txn[members]]
        end = np.where(timeline.ok[txn[members]], timeline.end[txn[members]], NEVER)
        by_end = np.argsort(end, kind="stable")
        ends = end[by_end]
        latest = np.maximum.accumulate(start[by_end])
        high = np.searchsorted(ends, start, side="left")
        low = np.searchsorted(ends, np.where(high > 0, latest[high - 1], 0), side="left")
        for b in np.flatnonzero(high > low):
            before = members[by_end[low[b] : high[b]]]
            sources.append(left[before])
            targets.append(np.full(len(before), met[members[b]]))
    empty = np.zeros(0, dtype=np.int64)
    return (np.concatenate(sources), np.concatenate(targets)) if sources else (empty, empty)
