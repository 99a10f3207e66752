"""Steps along logs: from one message to the next that one operation, or one process, sent or polled.

Within an operation all its polls are one after the other. Between operations the last message of a process's last
answered poll of a key is compared with the first of its next poll of it, however that one ended; a poll that brought
nothing of a key forgets where it was, and so does an assignment without the key.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chaosday.checkers.log_orders import NONE, Orders, distinct
from chaosday.model.history import FAILED, OK
from chaosday.record.logs import ASSIGN, NOTHING, POLL, REBALANCE, SEND, Ints, Logs


@dataclass(frozen=True)
class Steps:
    """Steps that go back, stand still or jump: rows, the key, two messages, and by how much."""

    before: Ints
    row: Ints
    key: Ints
    a: Ints
    b: Ints
    delta: Ints

    def where(self, mask: NDArray[np.bool_]) -> Steps:
        """Some of them."""
        return Steps(*(part[mask] for part in (self.before, self.row, self.key, self.a, self.b, self.delta)))

    @property
    def skips(self) -> Steps:
        """Those that left something out."""
        return self.where(self.delta > 1)

    @property
    def back(self) -> Steps:
        """Those that did not go forward."""
        return self.where(self.delta < 1)

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True)
class _Groups:
    """What one operation did to one key: its first and last message, ``NONE`` where a poll brought nothing."""

    row: Ints
    key: Ints
    first: Ints
    last: Ints


def internal(orders: Orders, f: int) -> Steps:
    """Steps within operations; keys that were rebalanced meanwhile are no consumer's fault, and left out of polls."""
    logs = orders.logs
    at = _sorted(logs, np.flatnonzero(logs.f == f))
    code = _codes(logs, at)
    same = np.flatnonzero(code[1:] == code[:-1])
    a, b = orders.messages.of[at[same]], orders.messages.of[at[same + 1]]
    row, key = logs.row[at[same]], logs.key[at[same]]
    steps = _wrong(orders, row, row, key, a, b)
    moved = np.flatnonzero(logs.f == REBALANCE)
    if f == POLL and len(moved) and len(steps):
        excused = np.isin(steps.row.astype(np.int64) * logs.keys + steps.key, _codes(logs, moved))
        return steps.where(~excused)
    return steps


def between(orders: Orders, f: int, process: Ints, takes: NDArray[np.bool_]) -> Steps:
    """Steps from one operation of a process to its next; ``takes`` are rows of assignments that may have happened."""
    logs, status = orders.logs, orders.status
    groups = _groups(orders, f)
    if f == SEND:
        groups = _only(groups, status[groups.row] != FAILED)
    counts = status[groups.row] == OK if f == POLL else np.ones(len(groups.row), dtype=bool)
    owner = process[groups.row].astype(np.int64) * logs.keys + groups.key
    order = _in_order(owner)  # the groups are in the order of their rows
    groups, counts, owner = _only(groups, order), counts[order], owner[order]
    position = np.arange(len(owner))
    latest = np.maximum.accumulate(np.where(counts, position, NONE)) if len(owner) else position
    before = np.concatenate([[NONE], latest[:-1]]) if len(owner) else position
    begins = np.flatnonzero(np.diff(owner, prepend=NONE)) if len(owner) else position
    start = np.repeat(begins, np.diff(np.append(begins, len(owner))))
    later = np.flatnonzero(before >= start)
    earlier = before[later]
    kept = _kept(logs, process, takes, groups, owner, earlier, later)
    later, earlier = later[kept], earlier[kept]
    a, b = groups.last[earlier], groups.first[later]
    known = (a != NONE) & (b != NONE)
    later, earlier = later[known], earlier[known]
    return _wrong(orders, groups.row[earlier], groups.row[later], groups.key[later], a[known], b[known])


def _kept(
    logs: Logs,
    process: Ints,
    takes: NDArray[np.bool_],
    groups: _Groups,
    owner: Ints,
    earlier: Ints,
    later: Ints,
) -> NDArray[np.bool_]:
    """Whether every assignment of the process between two of its operations went on with the key."""
    rows = np.flatnonzero(takes)
    if not len(rows) or not len(later):
        return np.ones(len(later), dtype=bool)
    size = len(takes) + 1
    all_of = np.sort(process[rows].astype(np.int64) * size + rows)
    named = np.flatnonzero((logs.f == ASSIGN) & takes[logs.row])
    row, key = logs.row[named], logs.key[named]
    _, dense = np.unique(np.concatenate([process[row].astype(np.int64) * logs.keys + key, owner]), return_inverse=True)
    of_named, of_group = dense[: len(named)].astype(np.int64), dense[len(named) :].astype(np.int64)
    with_key = distinct(of_named * size + row)

    def count(marks: Ints, who: Ints) -> Ints:
        there = np.searchsorted(marks, who[later] * size + groups.row[later])
        return there - np.searchsorted(marks, who[earlier] * size + groups.row[earlier])

    kept: NDArray[np.bool_] = count(all_of, process[groups.row]) == count(with_key, of_group)
    return kept


def _groups(orders: Orders, f: int) -> _Groups:
    logs = orders.logs
    real = logs.f == f
    at = np.flatnonzero(real | (logs.f == NOTHING)) if f == POLL else np.flatnonzero(real)
    if f == POLL and len(at) > int(real.sum()):
        nothing = at[~real[at]]
        beside = np.isin(_codes(logs, nothing), _codes(logs, np.flatnonzero(real)))
        at = np.sort(np.concatenate([np.flatnonzero(real), nothing[~beside]]))
    at = _sorted(logs, at)
    code = _codes(logs, at)
    new = np.flatnonzero(np.diff(code, prepend=NONE)) if len(code) else np.zeros(0, dtype=np.int64)
    ends = np.append(new[1:], len(code)) - 1 if len(new) else new
    of = orders.messages.of
    return _Groups(logs.row[at[new]], logs.key[at[new]], of[at[new]], of[at[ends]])


def _only(groups: _Groups, chosen: Ints) -> _Groups:
    return _Groups(groups.row[chosen], groups.key[chosen], groups.first[chosen], groups.last[chosen])


def _codes(logs: Logs, at: Ints) -> Ints:
    codes: Ints = logs.row[at].astype(np.int64) * logs.keys + logs.key[at]
    return codes


def _sorted(logs: Logs, at: Ints) -> Ints:
    """By row and key, and of those in the order of the operation."""
    codes = _codes(logs, at)
    if (codes[1:] >= codes[:-1]).all():
        return at
    return at[_in_order(codes)]


def _in_order(codes: Ints) -> Ints:
    # Numbers of 16 bits are sorted by radix, several times as fast.
    small = len(codes) and codes.max() < 2**16
    return np.argsort(codes.astype(np.uint16) if small else codes, kind="stable")


def _wrong(orders: Orders, before: Ints, row: Ints, key: Ints, a: Ints, b: Ints) -> Steps:
    from_, to = orders.at[a], orders.at[b]
    delta = np.where((from_ >= 0) & (to >= 0), to - from_, 1)
    wrong = np.flatnonzero(delta != 1)
    return Steps(before[wrong], row[wrong], key[wrong], a[wrong], b[wrong], delta[wrong])
