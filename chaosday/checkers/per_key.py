"""Keys are independent: one history is judged key by key, here or on many workers, with one result."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from chaosday.checkers.base import SHOWN, ResultMap, merge_valid
from chaosday.checkers.coding import NULL, coded
from chaosday.model.history import History

if TYPE_CHECKING:
    from concurrent.futures import Executor

Judge = Callable[[History], ResultMap]


def keyed(history: History) -> bool:
    """Whether any operation names a key."""
    column = history.table["key"]
    return bool(column.null_count < len(column))


def split(history: History) -> Iterator[tuple[Any, History]]:
    """Each key with its operations, keys in order of first appearance.

    Operations without a key in a history with keys belong to every key's history, as in Jepsen.
    """
    codes = coded(history, "key")
    column = codes.columns[0]
    order = np.argsort(column, kind="stable")
    ordered = column[order]
    unkeyed = order[: int(np.searchsorted(ordered, 0))]
    first = np.flatnonzero(np.diff(ordered, prepend=NULL)) if len(ordered) else np.zeros(0, dtype=np.int64)
    bounds = [*first.tolist(), len(ordered)]
    groups = [order[low:high] for low, high in itertools.pairwise(bounds)]
    for rows in sorted(groups, key=lambda rows: int(rows[0])):
        wanted = np.sort(np.concatenate([rows, unkeyed])) if len(unkeyed) else rows
        yield codes.name(int(column[rows[0]])), History(history.table.take(pa.array(wanted)))


def independently(history: History, judge: Judge, executor: Executor | None = None) -> ResultMap:
    """The result of ``judge`` for each key, merged; the history as one if it has no keys.

    ``judge`` is a module-level function or a ``functools.partial`` of one, so that an executor of
    processes (or ``submit`` of a cluster's client) can take it elsewhere; parts travel as Arrow.
    """
    if not keyed(history):
        return judge(history)
    parts = list(split(history))
    run: Callable[..., Iterable[ResultMap]] = executor.map if executor is not None else map
    results = run(_Part(judge), [part.table for _, part in parts])
    return merged(zip([key for key, _ in parts], results, strict=True))


def batches(history: History, count: int) -> list[list[tuple[Any, pa.Table]]]:
    """The keys with their operations in at most ``count`` batches of about as many operations each.

    One message to a cluster for each batch and not for each key: ten thousand keys of a hundred operations
    would otherwise be ten thousand tasks.
    """
    parts = sorted(((key, part.table) for key, part in split(history)), key=lambda part: -len(part[1]))
    dealt: list[list[tuple[Any, pa.Table]]] = [[] for _ in range(max(1, min(count, len(parts))))]
    weights = [0] * len(dealt)
    for part in parts:
        lightest = weights.index(min(weights))
        dealt[lightest].append(part)
        weights[lightest] += len(part[1])
    return dealt


def judge_batch(judge: Judge, batch: list[tuple[Any, pa.Table]]) -> list[tuple[Any, ResultMap]]:
    """Each key of a batch with its result."""
    return [(key, judge(History(table))) for key, table in batch]


def merged(results: Iterable[tuple[Any, ResultMap]]) -> ResultMap:
    """One result map of many: the worst verdict, every anomaly with its key, what was examined in all."""
    listed = list(results)
    anomalies: dict[str, list[Any]] = {}
    counts: dict[str, int] = {}
    for key, result in listed:
        for name, cases in result.get("anomalies", {}).items():
            named = [
                {"key": key, **case} if isinstance(case, dict) else {"key": key, "element": case} for case in cases
            ]
            anomalies.setdefault(name, []).extend(named)
            counts[name] = counts.get(name, 0) + result.get("anomaly-counts", {}).get(name, len(cases))
    undecided = [
        (key, result["reason"]) for key, result in listed if result["valid?"] == "unknown" and "reason" in result
    ]
    total: ResultMap = {
        "valid?": merge_valid(result["valid?"] for _, result in listed),
        "anomaly-types": sorted(anomalies),
        "examined": sum(result["examined"] for _, result in listed),
        "anomalies": {name: cases[:SHOWN] for name, cases in sorted(anomalies.items())},
        "anomaly-counts": counts,
        "keys": len(listed),
        "failures": [key for key, result in listed if result["valid?"] is False][:SHOWN],
    }
    if undecided:
        key, reason = undecided[0]
        total["reason"] = f"{len(undecided)} of {len(listed)} keys undecided; {key}: {reason}"
    return total


class _Part:
    """A judge of Arrow tables; a class and not a closure, so that it can be sent to another process."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def __call__(self, table: pa.Table) -> ResultMap:
        return self.judge(History(table))
