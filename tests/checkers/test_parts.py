"""The parts that checkers are made of, each by itself."""

from __future__ import annotations

import numpy as np
import pytest

from chaosday.checkers.consistency import known_anomaly
from chaosday.checkers.lookup import Lookup
from chaosday.checkers.per_key import merged
from chaosday.errors import UnknownName

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("size", [10, 1 << 40])
def test_a_code_that_is_not_there_is_not_found(size: int) -> None:
    """In a table of dense codes as among sorted ones; below, between and above those that are there."""
    lookup = Lookup(np.array([7, 3, 5, 3]), size)
    assert lookup.find(np.array([3, 5, 7])).tolist() == [3, 2, 0]
    assert lookup.find(np.array([0, 2, 4, 6, 8])).tolist() == [-1] * 5
    assert lookup.repeated(np.array([7, 3, 5, 3])).tolist() == [1]


def test_names_of_anomalies_are_known_or_refused() -> None:
    """Those that models forbid, and those that are cases of others."""
    assert [known_anomaly(name) for name in ("G0", "G-single-item-realtime", "dirty-update")] == [
        "G0", "G-single-item-realtime", "dirty-update",
    ]  # fmt: skip
    with pytest.raises(UnknownName, match="no anomaly 'G9'"):
        known_anomaly("G9")


def test_anomalies_of_all_keys_are_counted_together() -> None:
    """By what each key counted, or by the cases that it shows."""
    one = {"valid?": False, "examined": 3, "anomalies": {"lost": [{"index": 1}]}, "anomaly-counts": {"lost": 5}}
    other = {"valid?": False, "examined": 4, "anomalies": {"lost": [{"index": 2}, {"index": 3}]}}
    total = merged([("x", one), ("y", other)])
    assert (total["anomaly-counts"], total["examined"], total["valid?"]) == ({"lost": 7}, 7, False)
    assert [case["key"] for case in total["anomalies"]["lost"]] == ["x", "y", "y"]
