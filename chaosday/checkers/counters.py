"""Counters and generated identifiers, as Jepsen checks them; and how operations ended."""

from __future__ import annotations

from typing import Any

import numpy as np

from chaosday.checkers.base import ResultMap, merge_valid, quiet, result_map
from chaosday.checkers.coding import coded
from chaosday.errors import MalformedHistory
from chaosday.model.history import FAILED, OK, STATUSES, History, in_order, numbers_of, token_of, value_of


def check_counter(history: History) -> ResultMap:
    """Each read lies between what had certainly been added before it and all that can have been.

    ``reads`` and ``errors`` are ``[lower, value, upper]``. The counter starts at 0 and only grows:
    with a negative addition the bounds mean nothing, and the result is unknown.
    """
    status, start, end = history.statuses(), history.integers("start_ns"), history.integers("end_ns")
    added = history.is_f("add")
    reads = np.flatnonzero(history.is_f("read") & (status == OK))
    asked, got = _numbers(history, "value", added), _numbers(history, "result", history.is_f("read"))
    examined = int(added.sum()) + len(reads)
    if (asked[added] < 0).any():
        return result_map({}, examined=examined, unsure=["an addition is negative: this counter only grows"])
    answered = np.array([value is not None for value in history.tokens("result")], dtype=bool)[reads]
    unsure = [] if answered.all() else [f"{int((~answered).sum())} reads answered nil"]
    reads = reads[answered]
    reads = reads[np.argsort(end[reads], kind="stable")]
    sure, maybe = np.flatnonzero(added & (status == OK)), np.flatnonzero(added & (status != FAILED))
    lower = _sum_before(end[sure], asked[sure], start[reads], "left")
    upper = _sum_before(start[maybe], asked[maybe], end[reads], "right")
    seen = got[reads]
    bad = (seen < lower) | (seen > upper)
    listed = np.stack([lower, seen, upper], axis=1).tolist() if len(reads) else []
    errors = [listed[n] for n in np.flatnonzero(bad)]
    cases = [
        {"index": int(reads[n]), "lower": listed[n][0], "value": listed[n][1], "upper": listed[n][2]}
        for n in np.flatnonzero(bad)
    ]
    return result_map({"out-of-bounds": cases}, examined=examined, unsure=unsure, reads=listed, errors=errors)


def check_unique_ids(history: History) -> ResultMap:
    """No identifier is generated twice. ``duplicated`` maps identifiers to how often they came."""
    codes = coded(history, "result")
    generated = history.is_f("generate")
    rows = np.flatnonzero(generated & (history.statuses() == OK))
    answers = codes.columns[0][rows]
    ids = answers[answers >= 0]
    times = np.bincount(ids, minlength=codes.distinct)
    duplicated = {str(codes.name(int(code))): int(times[code]) for code in np.flatnonzero(times > 1)}
    seen = [codes.name(int(code)) for code in np.flatnonzero(times)]
    comparable = list(map(value_of, in_order(map(token_of, seen)))) or [None]
    counts: dict[str, Any] = {
        "attempted-count": int(generated.sum()),
        "acknowledged-count": len(rows),
        "duplicated-count": len(duplicated),
        "duplicated": dict(sorted(duplicated.items(), key=lambda item: -item[1])[:48]),
        "range": [comparable[0], comparable[-1]],
    }
    cases = [{"element": word, "times": count} for word, count in duplicated.items()]
    unsure = (
        [] if len(ids) == len(rows) else [f"{len(rows) - len(ids)} operations answered nil, which identifies nothing"]
    )
    return result_map({"duplicated": cases}, examined=int(generated.sum()), unsure=unsure, **counts)


def check_stats(history: History) -> ResultMap:
    """How operations ended, by ``f``; a kind of operation that never once succeeded is an anomaly."""
    status = history.statuses()
    column = history.table["f"].combine_chunks()
    codes = numbers_of(column.indices) if len(history) else np.zeros(0, dtype=np.int64)
    by_f: dict[str, dict[str, Any]] = {}
    for code, name in enumerate(column.dictionary.to_pylist()):
        if (codes == code).any():
            by_f[str(name)] = _stats(status[codes == code])
    never = [{"element": name, "count": one["count"]} for name, one in by_f.items() if not one["valid?"]]
    overall = _stats(status)
    overall.pop("valid?")
    overall["by-f"] = by_f
    result = result_map({"never-ok": never}, examined=len(history), **overall)
    if len(history):
        result["valid?"] = merge_valid(one["valid?"] for one in by_f.values())
    return result


def _stats(status: Any) -> dict[str, Any]:
    ok, failed, unknown = (int((status == code).sum()) for code in range(len(STATUSES)))
    return {
        "valid?": ok > 0,
        "count": ok + failed + unknown,
        "ok-count": ok,
        "fail-count": failed,
        "info-count": unknown,
    }


def _numbers(history: History, name: str, needed: Any) -> Any:
    values = history.values(name)
    wanted = np.flatnonzero(needed)
    numbers = np.zeros(len(history), dtype=np.int64)
    for row in wanted:
        if values[row] is None:
            continue
        if type(values[row]) is not int or abs(values[row]) >= 2**62:
            raise MalformedHistory(
                f"operation {quiet(row)}: a counter holds whole numbers, not {str(values[row])[:80]}"
            )
        numbers[row] = values[row]
    return numbers


def _sum_before(times: Any, amounts: Any, at: Any, side: Any) -> Any:
    order = np.argsort(times, kind="stable")
    running = np.concatenate([[0], np.cumsum(amounts[order])])
    return running[np.searchsorted(times[order], at, side=side)]
