"""Damage of every class that tables have, planted between every two engines."""

from __future__ import annotations

import itertools
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from chaosday.data.reconcile import diff
from chaosday.judging.proof import all_corruptions
from chaosday.judging.simulated_table import simulate_table
from chaosday.model.evidence import Evidence
from tests.data.reconcile.oracle import ENGINES, held
from tests.data.reconcile.stores import Stores

pytestmark = pytest.mark.lab

TABLE = simulate_table(60, seed=7)
SOUND = Evidence(Path("nowhere")).replaced(rows={"orders": TABLE, "orders.copy": TABLE})
CLASSES = [c for c in all_corruptions() if "replica" in c.stores and c.kind not in {"replica_lagging", "replica_gap"}]
KINDS = ["text", "text", "float", "int", "timestamp", "text", "int", "bool"]


def rows_of(number: int, table: pa.Table) -> list[list[Any]]:
    """Rows as the oracle has them, under the number of their class."""
    return [[number, *map(_value, row.values())] for row in table.to_pylist()]


def _value(value: Any) -> Any:
    return (*value.timetuple()[:6], value.microsecond * 1000) if isinstance(value, datetime) else value


@pytest.mark.parametrize(("left", "right"), list(itertools.combinations_with_replacement(ENGINES, 2)))
def test_damage_of_every_class_is_seen_between_every_two_engines(stores: Stores, left: str, right: str) -> None:
    """A diff names exactly the rows that were damaged, whichever engines the sound and the damaged copy are in."""
    sides: list[list[list[Any]]] = [[], []]
    expected: dict[int, set[int]] = {}
    for number, corruption in enumerate(CLASSES):
        planted = corruption.plant(SOUND, 1, np.random.default_rng(3))
        damaged = rows_of(number, planted.evidence.rows("orders.copy"))
        if all(held(k, right, v) for row in damaged for k, v in zip(KINDS, row[2:], strict=True) if v is not None):
            expected[number] = {int(key) for key in planted.keys}
            sides[0] += rows_of(number, TABLE)
            sides[1] += damaged
    made = [stores.make(e, 2, KINDS, rows) for e, rows in zip((left, right), sides, strict=True)]
    found: dict[int, set[int]] = {}
    for number, key in diff(*made, key=["k0", "k1"]).to_pandas()[["k0", "k1"]].itertuples(index=False):
        found.setdefault(int(number), set()).add(int(key))
    assert found == {number: keys for number, keys in expected.items() if keys}
    assert len(expected) >= len(CLASSES) - 1
