"""Payloads as small numbers, so that comparing and grouping them is arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from chaosday.model.history import History, numbers_of, present_in, to_json
from chaosday.record.transactions import coded_integers

Ints = NDArray[Any]
NULL = -1


@dataclass(frozen=True)
class Coded:
    """Columns in one code space, from 0; ``NULL`` for null. ``name`` says what a code stands for."""

    columns: tuple[Ints, ...]
    distinct: int
    names: Sequence[Any] | None
    low: int = 0

    def name(self, code: int) -> Any:
        """What was in the column."""
        if code == NULL:
            return None
        return self.low + int(code) if self.names is None else self.names[int(code)]

    def code(self, value: Any) -> int:
        """The code of a value, or ``NULL - 1`` if it is in no column."""
        if value is None:
            return NULL
        if self.names is None:
            whole = isinstance(value, int) and not isinstance(value, bool)
            return value - self.low if whole and 0 <= value - self.low < self.distinct else NULL - 1
        return next((code for code, name in enumerate(self.names) if _same(name, value)), NULL - 1)


def coded(history: History, *names: str) -> Coded:
    """Code the payload columns ``names`` together."""
    columns = [history.table[name].combine_chunks() for name in names]
    kinds = {column.type for column in columns if not pa.types.is_null(column.type) and column.null_count < len(column)}
    if all(pa.types.is_integer(kind) for kind in kinds):
        return _integers(history, names)
    texts = [_text(column) for column in columns]
    encoded = pa.chunked_array(texts).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = pa.concat_arrays(encoded.unify_dictionaries().chunks)
    codes = numbers_of(encoded.indices.cast(pa.int64()).fill_null(NULL))
    table = [orjson.loads(text) for text in encoded.dictionary.to_pylist()]
    size = len(history)
    return Coded(tuple(codes[n * size : (n + 1) * size] for n in range(len(names))), len(table), table)


def _integers(history: History, names: Sequence[str]) -> Coded:
    columns = [history.table[name] for name in names]
    full = [column for column in columns if column.null_count < len(column)]
    if not full:
        return Coded(tuple(np.full(len(history), NULL, dtype=np.int64) for _ in names), 0, None)
    numbers = [_present(column) for column in full]
    low, high = min(int(each.min()) for each in numbers), max(int(each.max()) for each in numbers)
    if high - low <= 4 * len(history) + 1024:
        narrow = np.int32 if high - low < 2**31 - 2 else np.int64
        return Coded(tuple(_shifted(column, low, narrow) for column in columns), high - low + 1, None, low)
    valid = np.concatenate(numbers)
    codes, distinct, labels = coded_integers(valid)
    parts, at = [], 0
    for column in columns:
        part = np.full(len(history), NULL, dtype=np.int64)
        present = present_in(column.combine_chunks())
        count = int(present.sum())
        part[present] = codes[at : at + count]
        at += count
        parts.append(part)
    table = labels.table if labels.table is not None else [labels.low + code for code in range(distinct)]
    return Coded(tuple(parts), distinct, table)


def _shifted(column: Any, low: int, narrow: Any) -> Ints:
    """The column less ``low``, nulls as ``NULL``, without a copy in between."""
    shifted = np.full(len(column), NULL, dtype=narrow)
    if column.null_count == len(column):
        return shifted
    array = column.combine_chunks()
    np.subtract(numbers_of(array), low, out=shifted, casting="unsafe")
    if array.null_count:
        shifted[~present_in(array)] = NULL
    return shifted


def _present(column: Any) -> Ints:
    """What a column holds, without its nulls; a view of it where there are none."""
    array = column.combine_chunks()
    numbers = numbers_of(array).astype(np.int64, copy=False)
    return numbers[present_in(array)] if array.null_count else numbers


def _text(column: Any) -> Any:
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _same(name: Any, value: Any) -> bool:
    return type(name) is type(value) and to_json(name) == to_json(value)
