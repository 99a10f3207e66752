"""Damage to typed rows: each class changes what it says, and the replica check sees all of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from chaosday.checks.replica_rows import ReplicaRows
from chaosday.judging.proof import all_corruptions, sight_of
from chaosday.judging.simulated_table import simulate_table
from chaosday.model.corruption import Corruption, NotApplicable
from chaosday.model.evidence import Evidence
from tests.judging import planting
from tests.judging.proving import prove

CHECK = ReplicaRows(store="orders", replica="orders.copy")
TABLE = simulate_table(300, seed=5)
EVIDENCE = Evidence(planting.NOWHERE).replaced(history=planting.history(), rows={"orders": TABLE, "orders.copy": TABLE})
CLASSES = [c for c in all_corruptions() if "replica" in c.stores and c.kind != "replica_lagging"]


@pytest.mark.parametrize("corruption", CLASSES, ids=lambda c: c.kind)
@pytest.mark.parametrize("size", [1, 6])
def test_a_corruption_says_exactly_what_it_damaged(corruption: Corruption, size: int) -> None:
    """The keys it names are those of the rows that differ, bit by bit, and the same seed does the same."""
    for seed in range(4):
        try:
            planted = corruption.plant(EVIDENCE, size, np.random.default_rng(seed))
        except NotApplicable:
            assert size > 1
            assert corruption.kind == "replica_rows_empty"
            return
        damaged = planted.evidence.rows("orders.copy")
        assert _differing(TABLE, damaged) == planted.keys
        assert not planted.keys & planted.equivalent
        again = corruption.plant(EVIDENCE, size, np.random.default_rng(seed))
        assert (again.keys, again.evidence.rows("orders.copy").equals(damaged)) == (planted.keys, True)


def test_every_class_is_seen_down_to_one_row() -> None:
    """Two copies compared bit by bit hide nothing: NULL, the sign of zero, a microsecond, a Unicode form."""
    proof = prove(EVIDENCE, [CHECK], corruptions=CLASSES, sizes=[1, 5], repetitions=2, budget_s=120)
    assert {cell.corruption for cell in proof.cells if cell.planted} == {c.kind for c in CLASSES}
    assert [(c.corruption, c.why) for c in proof.cells if c.status != "caught" or c.localised < c.caught] == []
    assert sight_of(proof).proven


def test_a_table_without_such_a_column_is_not_damaged() -> None:
    """A class that needs a type of column does not apply where there is none, and says so."""
    only_keys = EVIDENCE.replaced(rows={"orders.copy": TABLE.select(["id", "pieces"])})
    said = {}
    for corruption in CLASSES:
        try:
            corruption.plant(only_keys, 1, np.random.default_rng(1))
        except NotApplicable as reason:
            said[corruption.kind] = str(reason)
    assert {"text_mojibake", "float_last_bit", "time_zone_shifted", "columns_swapped"} <= said.keys()
    assert "text_mojibake" in said
    assert all(words and "\n" not in words for words in said.values())


def _differing(before: pa.Table, after: pa.Table) -> set[Any]:
    """Keys whose rows, as a multiset, are not written the same in both."""

    def grouped(table: pa.Table) -> dict[Any, list[str]]:
        groups: dict[Any, list[str]] = {}
        for row in table.to_pylist():
            groups.setdefault(row["id"], []).append(repr(sorted(row.items(), key=str)))
        return {key: sorted(rows) for key, rows in groups.items()}

    old, new = grouped(before), grouped(after)
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
