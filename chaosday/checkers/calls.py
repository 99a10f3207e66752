"""A history as calls and returns, key by key, the way the general search reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chaosday.checkers.coding import coded
from chaosday.checkers.models import Op, SequentialModel, op_of
from chaosday.checkers.per_key import keyed
from chaosday.model.history import FAILED, OK, UNKNOWN, History


@dataclass(frozen=True)
class Calls:
    """One key's operations that say anything, in order of invocation.

    ``events`` are (is a call, operation) in order of time, calls before returns at one instant
    (intervals are closed). ``slot`` gives open operations numbers that are used again after their
    return; unanswered ones have slots of their own. ``follows`` is the identical unanswered
    operation called before, -1 if none.
    """

    rows: list[int]
    ops: list[Op]
    unknown: list[bool]
    events: list[tuple[bool, int]]
    slot: list[int]
    follows: list[int]


def calls_by_key(history: History, model: SequentialModel) -> Iterator[tuple[Any, Calls]]:
    """Each key (None if the history has none) with its calls."""
    status, start, end = history.statuses(), history.integers("start_ns"), history.ends_ns()
    f = history.table["f"].to_pylist()
    values, results = history.tokens("value"), history.tokens("result")
    index = history.integers("index")
    codes = coded(history, "key")
    key = codes.columns[0]
    order = np.lexsort((start, key))
    by_key: dict[int, list[tuple[int, Op, bool]]] = {}
    for row in order.tolist():
        lost, refused = bool(status[row] == UNKNOWN), bool(status[row] == FAILED)
        result = results[row] if status[row] == OK else None
        op = op_of(str(f[row]), values[row], result, refused=refused, unknown=lost)
        if model.counts(op, lost):
            by_key.setdefault(int(key[row]), []).append((row, op, lost))
    for code, listed in by_key.items():
        name = codes.name(code) if keyed(history) else None
        yield name, _calls(listed, index, start, end)


def _calls(listed: list[tuple[int, Op, bool]], index: Any, start: Any, end: Any) -> Calls:
    times = []
    for number, (row, _, lost) in enumerate(listed):
        times.append((int(start[row]), 0, number))
        if not lost:
            times.append((int(end[row]), 1, number))
    events = [(kind == 0, number) for _, kind, number in sorted(times)]
    unknown = [lost for _, _, lost in listed]
    ops = [op for _, op, _ in listed]
    return Calls(
        [int(index[row]) for row, _, _ in listed], ops, unknown, events, _slots(events, unknown), _line(ops, unknown)
    )


def _slots(events: list[tuple[bool, int]], unknown: list[bool]) -> list[int]:
    slot = [0] * len(unknown)
    free: list[int] = []
    opened = lost = 0
    for is_call, op in events:
        if unknown[op]:
            slot[op], lost = lost, lost + 1
        elif not is_call:
            free.append(slot[op])
        elif free:
            slot[op] = free.pop()
        else:
            slot[op], opened = opened, opened + 1
    return slot


def _line(ops: list[Op], unknown: list[bool]) -> list[int]:
    last: dict[Op, int] = {}
    follows = [-1] * len(ops)
    for number, op in enumerate(ops):
        if unknown[number]:
            follows[number] = last.get(op, -1)
            last[op] = number
    return follows
