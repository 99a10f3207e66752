"""Queues: what goes in comes out, once, and in order where an order is promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from chaosday.checkers.base import ResultMap, foreign_to, result_map
from chaosday.checkers.coding import NULL, Coded, Ints, coded
from chaosday.errors import MalformedHistory
from chaosday.model.history import FAILED, NEVER_NS, OK, UNKNOWN, History, Token, in_order, token_of, value_of


def check_queue(history: History) -> ResultMap:
    """Every dequeue must come from somewhere: from an enqueue begun before it ended (Jepsen's ``queue``).

    A dequeue that is answered with nil took out nil; only ``fifo-queue`` takes it for one of an empty queue.
    Order is not looked at, nor whether everything came out.
    """
    codes, enqueues, dequeues = _queue(history)
    asked, got = codes.columns
    start, end = history.integers("start_ns"), history.integers("end_ns")
    puts, takes = np.flatnonzero(enqueues), np.flatnonzero(dequeues & (history.statuses() == OK))
    values = np.concatenate([asked[puts], got[takes]])
    times = np.concatenate([start[puts], end[takes]])
    step = np.concatenate([np.ones(len(puts), dtype=np.int64), -np.ones(len(takes), dtype=np.int64)])
    order = np.lexsort((-step, times, values))
    balance = _running_by(values[order], step[order])
    short = order[(balance < 0) & (step[order] < 0)] - len(puts)
    cases = [{"element": codes.name(int(got[takes[n]])), "index": int(takes[n])} for n in short]
    return result_map({"unexpected": cases}, examined=len(puts) + len(takes))


def check_total_queue(history: History, *, once: bool = False) -> ResultMap:
    """What goes in must come out, in a history that drains the queue (Jepsen's ``total-queue``); ``once``: not twice.

    ``lost`` was acknowledged and never came out, ``unexpected`` nobody put in, ``duplicated`` came
    out more often than it can have gone in, ``recovered`` went in without an answer and came out. Where Jepsen's
    says that all is lost since nobody could ask the queue, the answer here is that it is not known.
    """
    status, f = history.statuses(), history.is_f
    values, results = history.tokens("value"), history.tokens("result")
    puts = f("enqueue")
    attempts = Counter(values[row] for row in np.flatnonzero(puts))
    enqueues = Counter(values[row] for row in np.flatnonzero(puts & (status == OK)))
    dequeues = Counter(results[row] for row in np.flatnonzero(f("dequeue") & (status == OK)))
    drains = f("drain")
    for row in np.flatnonzero(drains & (status == OK)):
        dequeues.update(_drained(results[row], int(row)))
    ok = dequeues & attempts
    unexpected = Counter({item: times for item, times in dequeues.items() if item not in attempts})
    duplicated = dequeues - attempts - unexpected
    lost, recovered = enqueues - dequeues, ok - enqueues
    unsure = []
    # Where the others brought everything, one that was cut short hides nothing but a second copy.
    if (drains & (status == UNKNOWN)).any() and (lost or once):
        unsure.append("a drain ended unknown: what it took out is not known")
    if (puts | drains).any() and not (f("dequeue").any() or (drains & (status == OK)).any()):
        unsure.append("nothing was taken out: no drain was answered")
    counts = {
        "attempt-count": attempts,
        "acknowledged-count": enqueues,
        "ok-count": ok,
        "unexpected-count": unexpected,
        "duplicated-count": duplicated,
        "lost-count": lost,
        "recovered-count": recovered,
    }
    listed = {
        name: _elements(found)
        for name, found in (
            ("lost", lost),
            ("unexpected", unexpected),
            ("duplicated", duplicated),
            ("recovered", recovered),
        )
    }
    examined = int(puts.sum() + (f("dequeue") & (status == OK)).sum() + drains.sum())
    return result_map(
        {
            "lost": [] if unsure else listed["lost"],
            "unexpected": listed["unexpected"],
            "duplicated": listed["duplicated"] if once else [],
        },
        examined=examined,
        unsure=unsure,
        **{name: found.total() for name, found in counts.items()},
        **listed,
    )


def check_fifo_queue(history: History) -> ResultMap:
    """Whether the history is that of one first-in-first-out queue, for values put in once.

    With distinct values a queue is linearizable exactly if nothing comes out that did not go in
    before, nothing comes out twice, and no pair comes out against the order it went in (Henzinger,
    Sezgin, Vafeiadis, "Aspect-oriented linearizability proofs", 2013): a sweep, O(n log n). What
    went in repeatedly, or dequeues that never ended, are left to the general search.
    """
    codes, enqueues, dequeues = _queue(history)
    asked, got = codes.columns
    status, start, ends = history.statuses(), history.integers("start_ns"), history.ends_ns()
    live = status != FAILED
    puts, takes = np.flatnonzero(enqueues & live), np.flatnonzero(dequeues & (status == OK))
    if (nils := puts[asked[puts] == NULL]).size:
        raise MalformedHistory(
            f"operation {int(nils[0])}: an enqueue puts in a value: nil is what an empty queue gives"
        )
    examined = len(puts) + len(takes)
    open_takes = int((dequeues & (status == UNKNOWN)).sum())
    put_row, twice_put = _row_of(asked, puts, codes.distinct)
    take_row, twice_taken = _row_of(got, takes, codes.distinct)
    taken_empty = takes[got[takes] == NULL]
    if len(twice_put) or len(taken_empty) or open_takes or foreign_to(history, ("enqueue", "dequeue")):
        return _searched(history, examined)
    anomalies: dict[str, Sequence[Any]] = {
        "duplicated": [{"element": codes.name(int(code))} for code in twice_taken],
        "unexpected": [
            {"element": codes.name(int(got[row])), "index": int(row)}
            for row in takes
            if put_row[got[row]] < 0 or ends[row] < start[put_row[got[row]]]
        ],
    }
    anomalies["reordered"] = (
        [] if any(anomalies.values()) else _reordered(codes, put_row, take_row, start, ends, status)
    )
    return result_map(anomalies, examined=examined)


def _reordered(
    codes: Coded, put_row: Ints, take_row: Ints, start: Ints, ends: Ints, status: Any
) -> list[dict[str, Any]]:
    """Pairs ``a``, ``b`` with ``a`` in before ``b`` and out after it, or never."""
    # An enqueue without an answer that nobody took out may not have happened.
    there = np.flatnonzero((put_row >= 0) & ((take_row >= 0) | (status[put_row] == OK)))
    put_start, put_end = start[put_row[there]], ends[put_row[there]]
    out = take_row[there]
    take_start = np.where(out >= 0, start[out], NEVER_NS)
    take_end = np.where(out >= 0, ends[out], NEVER_NS)
    by_end = np.argsort(put_end, kind="stable")
    latest = np.maximum.accumulate(take_start[by_end]) if len(by_end) else take_start
    # For each b: of all a that were in before b began, does one come out only after b was out?
    before = np.searchsorted(put_end[by_end], put_start, side="left")
    bad = (before > 0) & (out >= 0)
    bad[bad] = latest[before[bad] - 1] > take_end[bad]
    cases = []
    for b in np.flatnonzero(bad)[:64]:
        a = by_end[np.argmax(take_start[by_end[: before[b]]])]
        cases.append({"element": codes.name(int(there[a])), "overtaken-by": codes.name(int(there[b]))})
    return cases


def _searched(history: History, examined: int) -> ResultMap:
    from chaosday.checkers.linear import linearizable
    from chaosday.checkers.models import FifoQueue

    return linearizable(history, FifoQueue(), examined=examined)


def _queue(history: History) -> tuple[Coded, Any, Any]:
    return coded(history, "value", "result"), history.is_f("enqueue"), history.is_f("dequeue")


def _row_of(values: Ints, rows: Ints, distinct: int) -> tuple[Ints, Ints]:
    """The row of each value, -1 for none, and the values that have several."""
    present = rows[values[rows] != NULL]
    row_of = np.full(distinct, -1, dtype=np.int64)
    row_of[values[present]] = present
    return row_of, np.flatnonzero(np.bincount(values[present], minlength=distinct) > 1)


def _running_by(groups: Ints, step: Ints) -> Ints:
    """The running sum within each run of equal groups."""
    total = np.cumsum(step)
    first = np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1)) if len(groups) else np.zeros(0, dtype=np.int64)
    before = np.repeat(total[first] - step[first], np.diff(np.append(first, len(groups))))
    running: Ints = total - before
    return running


def _elements(found: Counter[Token | None]) -> list[Any]:
    return list(map(value_of, in_order(found.elements())))


def _drained(said: Token | None, row: int) -> list[Token | None]:
    listed = value_of(said) if said is not None else []
    if not isinstance(listed, list):
        raise MalformedHistory(f"operation {row}: a drain brings a list of elements, not {str(said)[:80]}")
    return list(map(token_of, listed))
