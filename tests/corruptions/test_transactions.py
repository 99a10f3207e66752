"""Damage to transaction histories is what the transaction checks are there to see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chaosday.checks.list_append import ListAppend
from chaosday.checks.register import Register
from chaosday.checks.rw_register import RwRegister
from chaosday.judging.proof import all_corruptions, sight_of
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome
from chaosday.model.history import History
from tests.corruptions.test_history import registers
from tests.judging import planting
from tests.judging.proving import prove


def serial(seed: int, count: int, *, lists: bool) -> Evidence:
    """Transactions one after another against a store of lists or registers that keeps its promises."""
    rng, held, rows = np.random.default_rng(seed), dict[int, Any](), list[dict[str, Any]]()
    for number in range(count):
        asked: list[list[Any]] = []
        answered: list[list[Any]] = []
        for _ in range(int(rng.integers(1, 4))):
            key, value = int(rng.integers(5)), number * 10 + len(asked)
            if rng.random() < 0.5:
                seen = list(held.get(key, [])) if lists else held.get(key)
                asked.append(["r", key, None])
                answered.append(["r", key, seen])
                continue
            asked.append(["append" if lists else "w", key, value])
            answered.append(asked[-1])
            held[key] = [*held.get(key, []), value] if lists else value
        times = {"start_ns": number * 10, "end_ns": number * 10 + 5}
        rows.append({"process": number % 3, "f": "txn", "value": asked, "result": answered, "status": "ok", **times})
    return Evidence(planting.NOWHERE).replaced(history=History.from_rows(rows))


@pytest.mark.parametrize(
    ("check", "lists", "classes"),
    [
        (ListAppend(), True, {"dirty_read", "element_doubled", "long_fork", "lost_update", "write_skew"}),
        (RwRegister(), False, {"long_fork", "lost_update", "write_skew"}),
    ],
    ids=["lists", "registers"],
)
def test_every_anomaly_is_seen_and_named(check: Check, lists: bool, classes: set[str]) -> None:
    """A sound history passes; each planted anomaly is caught, and the finding points at its transactions."""
    evidence = serial(1, 150, lists=lists)
    assert check.judge(evidence).outcome is Outcome.PASS
    proof = prove(evidence, [check], sizes=[1, 3], repetitions=2, budget_s=120)
    planted = [cell for cell in proof.cells if cell.planted]
    assert {cell.corruption for cell in planted} == {f"txn_{name}" for name in classes}
    assert [(c.corruption, c.why) for c in planted if c.status != "caught"] == []
    assert sum(cell.localised for cell in planted) > 0
    assert sight_of(proof).proven, sight_of(proof).reasons


def test_snapshot_isolation_is_not_asked_to_see_write_skew() -> None:
    """Where only snapshot isolation is promised, write skew goes unnoticed, and is not promised."""
    check = ListAppend(consistency_models=("snapshot-isolation",))
    proof = prove(serial(2, 100, lists=True), [check], sizes=[1], repetitions=2, budget_s=120)
    cells = {cell.corruption: cell.status for cell in proof.cells if cell.planted}
    assert cells["txn_write_skew"] == "missed"
    assert cells["txn_lost_update"] == "caught"
    assert not sight_of(proof, ["txn_write_skew"]).proven


def test_the_register_check_sees_all_damage_to_registers() -> None:
    """Stale, future, phantom and failed reads, lost writes and fast clocks: every class is caught."""
    evidence = Evidence(planting.NOWHERE).replaced(history=registers(3, operations=300, keys=5))
    proof = prove(evidence, [Register()], sizes=[1, 2], repetitions=2, budget_s=120)
    planted = [cell for cell in proof.cells if cell.planted]
    assert len(planted) == len([c for c in all_corruptions() if c.stores == ("history",)])
    assert [(c.corruption, c.why) for c in planted if c.status != "caught"] == []
    assert sight_of(proof).proven, sight_of(proof).reasons
