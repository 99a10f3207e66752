"""A suite of expectations from a baseline: what holds of these rows now, and should hold of them after a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chaosday.data.expectations import Expectation
from chaosday.errors import MalformedInput

if TYPE_CHECKING:
    import pandas as pd

SET_AT_MOST = 12
"""Columns with no more different values than this are expected to keep to them."""


def profiled(frame: pd.DataFrame, key: str, *, rows_share: float = 0.5) -> list[Expectation]:
    """Expectations that the baseline meets: its columns, its count (give or take ``rows_share``), the key's
    uniqueness, no NULLs where there are none, ranges of numbers, and short sets of values.

    An empty baseline has nothing to say, and is refused.
    """
    import numpy as np
    from pandas.api import types

    if frame.empty:
        raise MalformedInput("a baseline without rows says nothing about the rows to come")
    if key not in frame.columns:
        raise MalformedInput(f"the baseline has no column {key}; it has {', '.join(map(str, frame.columns))}")
    count = len(frame)
    span = {"min_value": max(1, int(count * (1 - rows_share))), "max_value": int(count * (1 + rows_share)) + 1}
    suite = [
        _expect("table_columns_to_match_set", column_set=[str(name) for name in frame.columns], exact_match=True),
        _expect("table_row_count_to_be_between", **span),
        _expect("column_values_to_be_unique", column=key),
    ]
    for name in frame.columns:
        column = frame[name]
        if not column.isna().any():
            suite.append(_expect("column_values_to_not_be_null", column=str(name)))
        if name == key:
            continue
        known = column.dropna()
        if types.is_bool_dtype(known) or known.empty:
            continue
        if types.is_numeric_dtype(known):
            if not np.isfinite(known.astype(float)).all():
                continue
            limits = {"min_value": known.min().item(), "max_value": known.max().item()}
            suite.append(_expect("column_values_to_be_between", column=str(name), **limits))
        elif all(isinstance(value, str) for value in known) and known.nunique() <= SET_AT_MOST:
            suite.append(_expect("column_values_to_be_in_set", column=str(name), value_set=sorted(known.unique())))
    return suite


def _expect(name: str, **arguments: Any) -> Expectation:
    return Expectation(expect=f"expect_{name}", arguments=arguments)
