"""What is told of a host by its own tools."""

from __future__ import annotations

import pytest

from chaosday.errors import TargetUnreachable
from chaosday.mechanisms.hosts.tools import passed_s

pytestmark = pytest.mark.kernel


def test_seconds_between_two_looks() -> None:
    """By a clock in steps of ten milliseconds."""
    assert passed_s(10_000_000, 1_510_000_000) == 1.5


@pytest.mark.parametrize("end_ns", [5_000_000_000, 4_990_000_000, 0])
def test_a_clock_that_stood_still_gives_no_rate(end_ns: int) -> None:
    """Said in a line, and not divided by."""
    with pytest.raises(TargetUnreachable, match="stood still"):
        passed_s(5_000_000_000, end_ns)
