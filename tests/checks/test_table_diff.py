"""The result of a diff as a check."""

from __future__ import annotations

from typing import Any

import pytest

from chaosday.checks.table_diff import TableDiff
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome
from tests.judging import planting

pytestmark = pytest.mark.kernel
EQUAL: dict[str, Any] = {
    "rows_left": 9, "rows_right": 9, "removed": 0, "added": 0, "changed": 0, "sample_keys": [], "reasons": [],
    "duplicate_keys_left": 0, "duplicate_keys_right": 0, "duplicate_sample": [], "notes": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("left", "right", "outcome", "said"),
    [
        (0, 0, Outcome.PASS, False),
        (3, 3, Outcome.PASS, True),
        (3, 2, Outcome.VIOLATED, False),
    ],
)
def test_keys_that_occur_more_than_once_on_both_sides_are_said(
    left: int, right: int, outcome: Outcome, said: bool
) -> None:
    """As often on both they are no damage, and still no secret; more often on one they are damage."""
    result = EQUAL | {"duplicate_keys_left": left, "duplicate_keys_right": right}
    finding = TableDiff().judge(Evidence(planting.NOWHERE).replaced(observations={"table_diff": result}))
    assert finding.outcome is outcome
    assert ("3 keys occur more than once on both sides" in finding.reasons) is said
    assert not any("0 keys" in each for each in finding.reasons)
