"""What a query's row says of a target's health."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from chaosday.model.probe import within


@pytest.mark.parametrize(
    ("row", "bounds", "healthy"),
    [
        ((5,), (1, 9), True),
        ((Decimal("5"),), (None, None), True),
        (("5",), (5, 5), True),
        ((10,), (1, 9), False),
        ((0,), (1, 9), False),
        (None, (None, None), None),
        ((), (None, None), None),
        ((None,), (None, None), None),
        (("many",), (None, None), None),
        ((float("nan"),), (None, None), None),
        ((Decimal("NaN"),), (1, None), None),
        ((float("inf"),), (1, None), None),
        ((10**400,), (1, None), None),
    ],
)
def test_only_a_number_between_its_bounds_is_healthy(row: Any, bounds: tuple[Any, Any], healthy: bool | None) -> None:
    """A row without a number is no answer, and NaN is none."""
    assert within("sql.query", row, *bounds).healthy is healthy
