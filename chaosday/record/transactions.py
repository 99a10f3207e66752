"""Transactions as columns: a million of them are a dozen arrays, not a million lists.

A history of transactions has one more column, ``txn``: a list of micro-operations for each row,
each a struct of ``f`` (0 read, 1 write, 2 append), ``key``, ``value`` (a number or JSON text; null
for nil) and ``list`` (what a read of a list saw; null for nil). ``Transactions`` is the same data
as flat numpy arrays, which is what the checkers work on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from chaosday.errors import MalformedHistory
from chaosday.model.history import History, numbers_of, payload_column

READ, WRITE, APPEND = range(3)
F_NAMES = ("r", "w", "append")
_F_CODES = {name: code for code, name in enumerate(F_NAMES)}
NIL = int(np.iinfo(np.int64).min)
COLUMN = "txn"
_SPAN = 2**31

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Names:
    """What the codes of a column stand for: ``low + code``, or an entry of ``table``."""

    low: int = 0
    table: Sequence[Any] | None = None

    def __getitem__(self, code: int) -> Any:
        if self.table is None:
            return self.low + int(code)
        return self.table[int(code)]


@dataclass(frozen=True)
class Transactions:
    """The micro-operations of a history, row by row.

    Transaction ``t`` has the micro-operations ``first[t]:first[t + 1]``. ``key`` holds codes from 0
    to ``keys - 1`` (``key_names`` says of what), ``value`` what was written or read (``NIL`` for
    nil and for lists), ``list_first[m]:list_first[m + 1]`` the ``elements`` that read ``m`` saw.
    """

    first: Ints
    f: NDArray[np.int8]
    key: Ints
    keys: int
    key_names: Names
    value: Ints
    value_names: Names
    list_first: Ints
    elements: Ints

    def __len__(self) -> int:
        return len(self.first) - 1

    @cached_property
    def owner(self) -> Ints:
        """The transaction of each micro-operation."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.first))

    @cached_property
    def lengths(self) -> Ints:
        """How many elements each micro-operation's list has."""
        lengths: Ints = np.diff(self.list_first)
        return lengths

    @cached_property
    def longest(self) -> int:
        """The most micro-operations that a transaction has."""
        return int(np.diff(self.first).max(initial=0))

    def name_of_value(self, code: int) -> Any:
        """What a value's code stands for; None for nil."""
        return None if code == NIL else self.value_names[code]

    def mops(self, t: int) -> list[list[Any]]:
        """Transaction ``t`` as Jepsen writes it: ``[["r", "x", [1, 2]], ["append", "y", 3]]``."""
        found: list[list[Any]] = []
        for m in range(int(self.first[t]), int(self.first[t + 1])):
            low, high = int(self.list_first[m]), int(self.list_first[m + 1])
            value: Any = self.name_of_value(int(self.value[m]))
            if high > low:
                value = [self.value_names[int(code)] for code in self.elements[low:high]]
            found.append([F_NAMES[self.f[m]], self.key_names[int(self.key[m])], value])
        return found

    @classmethod
    def of(cls, history: History) -> Transactions:
        """The transactions of a history: its ``txn`` column, or the JSON in ``value`` and ``result``.

        What an operation that ended ok did is its result; of any other, what it was asked to do.
        """
        if COLUMN in history.table.column_names:
            return cls.from_column(history.table[COLUMN])
        return cls.from_column(column(_parsed(history)))

    @classmethod
    def from_column(cls, chunked: Any) -> Transactions:
        """Read the ``txn`` column."""
        array = chunked.combine_chunks() if isinstance(chunked, pa.ChunkedArray) else chunked
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks)
        offsets = numbers_of(array.offsets)
        structs = array.values.slice(offsets[0], offsets[-1] - offsets[0]) if len(offsets) else array.values
        lists = structs.field("list")
        list_offsets = numbers_of(lists.offsets)
        elements = lists.values.slice(list_offsets[0], list_offsets[-1] - list_offsets[0])
        key, keys, key_names = _coded_keys(structs.field("key"))
        value, element, value_names = _coded_values(structs.field("value"), elements)
        return cls(
            first=offsets - offsets[0],
            f=numbers_of(structs.field("f")),
            key=key,
            keys=keys,
            key_names=key_names,
            value=value,
            value_names=value_names,
            list_first=list_offsets - list_offsets[0],
            elements=element,
        )


def column(rows: Iterable[Sequence[Sequence[Any]]]) -> pa.ListArray:
    """The ``txn`` column of transactions given as lists of micro-operations.

    A micro-operation is ``[f, key, value]`` or ``[f, key]``; ``f`` is r, w or append. Raises
    ``MalformedHistory`` for anything else.
    """
    listed = rows if isinstance(rows, list) else list(rows)
    first = np.zeros(len(listed) + 1, dtype=np.int32)
    np.cumsum(np.fromiter(map(len, listed), np.int32, len(listed)), out=first[1:])
    flat = list(chain.from_iterable(listed))
    try:
        if set(map(len, flat)) == {3}:
            names, keys, values = map(list, zip(*flat, strict=True))
        else:
            names, keys = [mop[0] for mop in flat], [mop[1] for mop in flat]
            values = [mop[2] if len(mop) > 2 else None for mop in flat]
        f = np.fromiter(map(_F_CODES.__getitem__, names), np.int8, len(flat))
    except (KeyError, IndexError, TypeError):
        bad = next(mop for mop in flat if not is_mop(mop))
        raise MalformedHistory(f"{bad!r} is not a read, a write or an append of a key") from None
    # A list that is read is the value of a list; one that is written or appended is one value like any other.
    is_list = [type(value) is list and name == "r" for name, value in zip(names, values, strict=True)]
    lists, scalars, elements = _split(values, is_list)
    structs = pa.StructArray.from_arrays(
        [pa.array(f), payload_column(keys), scalars, pa.ListArray.from_arrays(pa.array(lists), elements)],
        ["f", "key", "value", "list"],
    )
    return pa.ListArray.from_arrays(pa.array(first), structs)


def with_transactions(history: History, txns: pa.ListArray) -> History:
    """A copy of ``history`` with the ``txn`` column."""
    return History(history.table.append_column(COLUMN, txns))


def is_mop(mop: Any) -> bool:
    """Whether ``mop`` is a micro-operation: ``[f, key]`` or ``[f, key, value]``."""
    return isinstance(mop, (list, tuple)) and 2 <= len(mop) <= 3 and isinstance(mop[0], str) and mop[0] in _F_CODES


def _split(values: list[Any], is_list: list[bool]) -> tuple[NDArray[np.int32], pa.Array, pa.Array]:
    lengths = np.zeros(len(values) + 1, dtype=np.int32)
    if not any(is_list):
        scalars = payload_column(values)
        if pa.types.is_string(scalars.type):
            return lengths, scalars, pa.array([], pa.string())
        return lengths, scalars, pa.array([], pa.int64())
    sizes = [len(value) if yes else 0 for value, yes in zip(values, is_list, strict=True)]
    np.cumsum(np.array(sizes, dtype=np.int32), out=lengths[1:])
    flat = list(chain.from_iterable([value for value, yes in zip(values, is_list, strict=True) if yes]))
    scalars = payload_column([None if yes else value for value, yes in zip(values, is_list, strict=True)])
    elements = payload_column(flat)
    if scalars.type != elements.type:
        scalars, elements = (_as_json(array) for array in (scalars, elements))
    return lengths, scalars, elements


def _as_json(array: pa.Array) -> pa.Array:
    # JSON text of a whole number is its digits, so that 1 stays apart from "1".
    return array.cast(pa.string()) if pa.types.is_integer(array.type) else array


def _coded_keys(array: pa.Array) -> tuple[Ints, int, Names]:
    if pa.types.is_integer(array.type) and not array.null_count:
        return coded_integers(numbers_of(array))
    encoded = (array if pa.types.is_string(array.type) else array.cast(pa.string())).dictionary_encode(
        null_encoding="encode"
    )
    codes: Ints = numbers_of(encoded.indices).astype(np.int64)
    return codes, len(encoded.dictionary), Names(table=[_loads(word) for word in encoded.dictionary.to_pylist()])


def coded_integers(numbers: Ints) -> tuple[Ints, int, Names]:
    """Codes from 0, how many there are, and their names; a dense range is only shifted."""
    if not len(numbers):
        return np.zeros(0, dtype=np.int64), 0, Names()
    low, high = int(numbers.min()), int(numbers.max())
    if high - low <= 4 * len(numbers) + 1024:
        return (numbers if low == 0 else numbers - low), high - low + 1, Names(low=low)
    distinct, codes = np.unique(numbers, return_inverse=True)
    return codes.astype(np.int64, copy=False), len(distinct), Names(table=distinct.tolist())


def _coded_values(scalars: pa.Array, elements: pa.Array) -> tuple[Ints, Ints, Names]:
    if pa.types.is_string(scalars.type) or pa.types.is_string(elements.type):
        both = pa.chunked_array([_as_json(scalars).cast(pa.string()), _as_json(elements).cast(pa.string())])
        encoded = both.combine_chunks().dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = pa.concat_arrays(encoded.chunks)
        codes = numbers_of(encoded.indices.cast(pa.int64()).fill_null(NIL))
        table = [_loads(word) for word in encoded.dictionary.to_pylist()]
        return codes[: len(scalars)], codes[len(scalars) :], Names(table=table)
    value, element = _numbers(scalars), _numbers(elements)
    written = value[value != NIL]
    ends = [(int(part.min()), int(part.max())) for part in (written, element) if len(part)]
    if ends and max(high for _, high in ends) - min(low for low, _ in ends) >= _SPAN:
        # Key and value have to fit into one number; what is spread too wide gets codes.
        distinct = np.unique(np.concatenate([written, element]))
        coded = np.full(len(value), NIL, dtype=np.int64)
        coded[value != NIL] = np.searchsorted(distinct, written)
        return coded, np.searchsorted(distinct, element), Names(table=distinct.tolist())
    return value, element, Names()


def _numbers(array: pa.Array) -> Ints:
    if array.null_count == len(array):
        return np.full(len(array), NIL, dtype=np.int64)
    return numbers_of(array.fill_null(NIL) if array.null_count else array)


def _loads(word: str | None) -> Any:
    return None if word is None else orjson.loads(word)


def _parsed(history: History) -> list[list[list[Any]]]:
    asked, got = (history.table[name].to_pylist() for name in ("value", "result"))
    ok = history.statuses() == 0
    rows: list[list[list[Any]]] = []
    for row, (value, result) in enumerate(zip(asked, got, strict=True)):
        said = result if ok[row] and result is not None else value if value is not None else result
        mops = orjson.loads(said) if isinstance(said, str) else said
        if mops is not None and not (isinstance(mops, list) and all(is_mop(mop) for mop in mops)):
            raise MalformedHistory(f"operation {row} is {said!r}, not a transaction of reads, writes and appends")
        rows.append(mops or [])
    return rows
