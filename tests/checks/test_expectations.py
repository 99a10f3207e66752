"""Expectations as a check: what they see, what they cannot say, and what they must not claim."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest

from chaosday.checks.expectations import Expectation, Expectations
from chaosday.errors import MalformedInput
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome
from tests.judging import planting

CLEAN = [(1, 1, 7), (2, 1, 8), (3, 1, 9)]


def evidence(*found: tuple[int, ...]) -> Evidence:
    return planting.ledger("1 insert 7 ok", found=found)


def test_a_clean_batch_passes() -> None:
    """Every expectation of the default suite is met by an undamaged ledger."""
    finding = Expectations().judge(evidence(*CLEAN))
    assert (finding.outcome, finding.examined) == (Outcome.PASS, 3), finding
    assert finding.result["met"] == finding.result["expectations"] == 7


def test_failing_rows_are_named() -> None:
    """A duplicate and a value out of range are violations that name their rows."""
    finding = Expectations().judge(evidence(*CLEAN, (3, 1, 9), (4, 0, -5)))
    assert finding.outcome is Outcome.VIOLATED
    found = {anomaly.name: (anomaly.count, anomaly.keys) for anomaly in finding.anomalies}
    assert found == {
        "expect_column_values_to_be_unique(id)": (2, [3]),
        "expect_column_values_to_be_between(version)": (1, [4]),
        "expect_column_values_to_be_between(value)": (1, [4]),
    }


def test_a_null_is_named() -> None:
    """A null in a column that may hold none is a violation with the row's key."""
    rows = planting.rows(*CLEAN)
    holed = rows.set_column(2, "value", pa.array([7, None, 9], pa.int64()))
    finding = Expectations().judge(evidence().replaced(rows={"survivor": holed}))
    anomaly = finding.anomaly("expect_column_values_to_not_be_null(value)")
    assert anomaly is not None
    assert anomaly.keys == [2]


@pytest.mark.parametrize(("check", "found"), [(Expectations(), []), (Expectations(suite=[]), CLEAN)])
def test_nothing_validated_is_inconclusive(check: Expectations, found: list[tuple[int, ...]]) -> None:
    """Great Expectations passes on an empty batch; here no rows, or no expectation, prove nothing."""
    finding = check.judge(evidence(*found))
    assert (finding.outcome, finding.examined, finding.result["met"]) == (Outcome.INCONCLUSIVE, 0, 0)
    assert not any("could not be evaluated" in reason for reason in finding.reasons)


def test_the_largest_value_of_a_ledger_is_within_the_suite() -> None:
    """Updates go beyond the largest value that is drawn, by less than a thousand."""
    largest = (1 << 40) + 1000
    finding = Expectations().judge(evidence(*CLEAN, (8, 1, largest), (9, 1, largest + 1)))
    assert [(each.name, each.keys) for each in finding.anomalies] == [
        ("expect_column_values_to_be_between(value)", [9])
    ]


def test_an_expectation_in_error_is_no_corruption() -> None:
    """An expectation that raises is inconclusive and says why, and the others still count."""
    broken = Expectation(expect="column_values_to_not_be_null", arguments={"column": "no_such_column"})
    finding = Expectations(suite=[broken, *Expectations().suite]).judge(evidence(*CLEAN))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "no_such_column" in finding.reasons[0]
    assert finding.result["met"] == 7


@pytest.mark.parametrize(
    "check",
    [
        Expectations(suite=[Expectation(expect="expect_miracles")]),
        Expectations(suite=[Expectation(arguments={"column": "id", "mostly": 7})]),
        Expectations(key="name"),
    ],
)
def test_a_suite_that_cannot_be_is_an_error_in_words(check: Expectations) -> None:
    """An unknown expectation, wrong arguments or a missing key column are said in one line."""
    with pytest.raises(MalformedInput, match=r"^[^\n]+$"):
        check.judge(evidence(*CLEAN))


def test_great_expectations_is_imported_only_when_used() -> None:
    """Knowing the check costs nothing: its library is not loaded by importing it."""
    code = "import sys, chaosday.checks.expectations; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
