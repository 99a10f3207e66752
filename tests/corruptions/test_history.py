"""Damage to histories of registers, against a brute-force search for an order that explains them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from chaosday.judging.proof import all_corruptions
from chaosday.model.corruption import Corruption, NotApplicable
from chaosday.model.evidence import Evidence
from chaosday.model.history import History
from tests.judging import planting

CLASSES = [c for c in all_corruptions() if c.stores == ("history",)]


def registers(seed: int, operations: int = 24, keys: int = 2) -> History:
    """A sound history: every operation takes effect at one moment between its start and its end."""
    rng = np.random.default_rng(seed)
    begun = []
    free = [0, 0, 0]
    for number in range(operations):
        process = int(np.argmin(free))
        start = free[process] + int(rng.integers(1, 8))
        end = start + int(rng.integers(1, 12))
        free[process] = end
        failed = rng.random() < 0.15
        begun.append(
            {
                "process": process,
                "f": "write" if rng.random() < 0.5 else "read",
                "key": int(rng.integers(keys)),
                "value": 100 + number,
                "start_ns": start,
                "end_ns": end,
                "moment": float(rng.uniform(start, end)),
                "failed": failed,
            }
        )
    held: dict[int, int] = {}
    done: list[dict[str, Any]] = []
    for op in sorted(begun, key=lambda each: each["moment"]):
        if op["f"] == "read":
            op |= {"result": held.get(op["key"]), "value": None, "status": "ok"}
        else:
            op |= {"status": "failed" if op["failed"] else "ok"}
            if not op["failed"]:
                held[op["key"]] = op["value"]
        done.append(op)
    return History.from_rows(sorted(done, key=lambda each: each["start_ns"]))


def explained(history: History) -> bool:
    """Whether each register has an order of its operations that respects the clock and explains every read."""
    rows = history.table.to_pylist()
    return all(
        _orderable([r for r in rows if r["key"] == key and r["status"] == "ok"]) for key in {r["key"] for r in rows}
    )


def _orderable(rows: list[dict[str, Any]]) -> bool:
    @cache
    def search(left: frozenset[int], held: int | None) -> bool:
        if not left:
            return True
        first_end = min(rows[i]["end_ns"] for i in left)
        for i in left:
            if rows[i]["start_ns"] > first_end:
                continue
            if rows[i]["f"] == "write":
                if search(left - {i}, rows[i]["value"]):
                    return True
            elif rows[i]["result"] == held and search(left - {i}, held):
                return True
        return False

    return search(frozenset(range(len(rows))), None)


@pytest.mark.parametrize("corruption", CLASSES, ids=lambda c: c.kind)
def test_planted_damage_is_beyond_every_explanation(corruption: Corruption) -> None:
    """A sound history has an explaining order; with planted damage it has none; without it, it keeps one."""
    damaged = 0
    for seed in range(40):
        history = registers(seed)
        assert explained(history)
        try:
            planted = corruption.plant(
                Evidence(planting.NOWHERE).replaced(history=history), 1, np.random.default_rng(seed)
            )
        except NotApplicable:
            continue
        damaged += bool(planted.keys)
        if planted.keys:
            assert not explained(planted.evidence.history()), (seed, planted.keys)
    assert damaged >= 3


@pytest.mark.parametrize("corruption", CLASSES, ids=lambda c: c.kind)
def test_a_history_of_something_else_is_left_alone(corruption: Corruption) -> None:
    """What is not a history of registers cannot be damaged as one, and the class says so."""
    with pytest.raises(NotApplicable, match=r"registers"):
        corruption.plant(planting.ledger("1 insert 7 ok"), 1, np.random.default_rng(1))


def test_values_as_text_are_damaged_as_text() -> None:
    """Registers that hold anything but whole numbers are damaged in their own form."""
    history = registers(3)
    rows = [
        r | {"value": r["value"] and f"v{r['value']}", "result": r["result"] and f"v{r['result']}"}
        for r in history.table.to_pylist()
    ]
    evidence = Evidence(planting.NOWHERE).replaced(history=History.from_rows(rows))
    phantom = next(c for c in CLASSES if c.kind == "history_phantom_read")
    planted = phantom.plant(evidence, 1, np.random.default_rng(1))
    (index,) = planted.keys
    result = planted.evidence.history().table["result"].to_pylist()[int(index)]
    assert result == '"phantom 0"'
