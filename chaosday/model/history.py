"""The History: what was asked of the system, and what it said.

One row an operation. In memory it is an Arrow table, on disk Parquet, in a notebook a DataFrame.

=============  ======================  ==========================================================
column         type                    meaning
=============  ======================  ==========================================================
``index``      int64                   position in order of invocation, from 0, unique
``process``    int64                   the logical client; it has one operation open at a time
``f``          dictionary<string>      what was asked: read, write, cas, insert, transfer, txn ...
``key``        int64 or string         what it was asked of; null where the store is one object
``value``      int64 or string         what was asked (written, added, enqueued); null if nothing
``result``     int64 or string         what came back; null if nothing did
``start_ns``   int64                   monotonic nanoseconds at invocation
``end_ns``     int64, null if no end   monotonic nanoseconds at completion
``status``     dictionary<string>      ``ok``, ``failed`` (provably no effect), ``unknown``
``error``      string                  why it is not ok, in the store's words
=============  ======================  ==========================================================

``key``, ``value`` and ``result`` are int64 when every one of them is a whole number, and canonical
JSON text otherwise (``to_json``): two values are the same exactly if their texts are, so that ``1``,
``1.0``, ``true`` and ``"1"`` stay apart for every check. An operation that never ended is ``unknown`` and
stays concurrent with everything that follows (Jepsen's ``info``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa

from chaosday.errors import MalformedHistory

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Token = int | str
"""What stands for a value where values are compared: a whole number, or the JSON text of anything else."""
DEPTH_MOST = 100
_WHOLE = re.compile(r"-?\d+")
STATUSES = ("ok", "failed", "unknown")
OK, FAILED, UNKNOWN = range(3)
NEVER_NS = np.iinfo(np.int64).max
PAYLOAD = ("key", "value", "result")
COLUMNS = ("index", "process", "f", *PAYLOAD, "start_ns", "end_ns", "status", "error")
_INTEGERS = ("index", "process", "start_ns", "end_ns")


class History:
    """A columnar history; immutable, cheap to slice and to convert."""

    def __init__(self, table: pa.Table) -> None:
        missing = [name for name in COLUMNS if name not in table.column_names]
        if missing:
            raise MalformedHistory(f"a history needs the columns {', '.join(missing)}")
        self.table = table.combine_chunks()

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> History:
        """Build from dicts with the columns as keys (tests, small imports); absent means null."""
        listed = list(rows)
        columns = {name: [row.get(name) for row in listed] for name in COLUMNS}
        if all(value is None for value in columns["index"]):
            columns["index"] = list(range(len(listed)))
        return cls.from_columns(columns)

    @classmethod
    def from_columns(cls, columns: Mapping[str, Sequence[Any] | NDArray[Any] | pa.Array]) -> History:
        """Build from one sequence a column; ``status`` as words or as codes into ``STATUSES``."""
        count = len(columns["f"])
        arrays: dict[str, pa.Array] = {}
        for name in COLUMNS:
            column = columns.get(name)
            if column is None:
                column = np.arange(count) if name == "index" else [None] * count
            arrays[name] = _typed(name, column)
        return cls(pa.table(arrays))

    @classmethod
    def from_pandas(cls, frame: pd.DataFrame) -> History:
        """The inverse of ``to_pandas``."""
        table = pa.Table.from_pandas(frame, preserve_index=False)
        return cls.from_columns({name: _whole(table[name]) for name in table.column_names})

    def to_pandas(self) -> pd.DataFrame:
        """A DataFrame with one row an operation and the columns above; whole numbers stay whole (Int64)."""
        import pandas as pd

        frame: pd.DataFrame = self.table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
        return frame

    @classmethod
    def read(cls, path: Path) -> History:
        """Read a Parquet history."""
        import pyarrow.parquet as pq

        try:
            history = cls(pq.ParquetFile(path).read())  # read_table would hold everything twice
            pa.default_memory_pool().release_unused()
            return history
        except (pa.ArrowException, OSError, ValueError) as error:
            raise MalformedHistory(f"{path} is not a Parquet history: {_first_line(error)}") from None

    def write(self, path: Path) -> None:
        """Write as Parquet with page checksums, so that damage to the evidence itself shows."""
        import pyarrow.parquet as pq

        pq.write_table(self.table, path, compression="zstd", write_page_checksum=True)

    def integers(self, name: str, null: int = -1) -> NDArray[np.int64]:
        """A column as int64, ``null`` where it is null; an error if it holds anything else."""
        column = self.table[name]
        if pa.types.is_null(column.type):
            return np.full(len(self), null, dtype=np.int64)
        if not pa.types.is_integer(column.type):
            raise MalformedHistory(f"column {name} holds {column.type}, whole numbers are needed")
        array = column.combine_chunks()
        numbers = numbers_of(array).astype(np.int64, copy=False)
        return np.where(present_in(array), numbers, null) if array.null_count else numbers

    def values(self, name: str) -> list[Any]:
        """A payload column as Python values: whole numbers, and what the JSON text stands for."""
        column = self.table[name]
        listed: list[Any] = column.to_pylist()
        if pa.types.is_string(column.type):
            return [None if text is None else orjson.loads(text) for text in listed]
        return listed

    def tokens(self, name: str) -> list[Token | None]:
        """A payload column as what can be compared and hashed (``token_of``); null stays None.

        Python's own equality would take ``1``, ``1.0`` and ``True`` for one value.
        """
        column = self.table[name]
        listed: list[Any] = column.to_pylist()
        return list(map(_token, listed)) if pa.types.is_string(column.type) else listed

    def ends_ns(self) -> NDArray[np.int64]:
        """Completion times, ``NEVER_NS`` for what is unknown or never ended."""
        ends = self.integers("end_ns", null=NEVER_NS)
        unknown = self.statuses() == UNKNOWN
        return np.where(unknown, NEVER_NS, ends) if unknown.any() else ends

    def statuses(self) -> NDArray[np.int8]:
        """Codes into ``STATUSES``, one an operation."""
        return _codes(self.table["status"], STATUSES)

    def is_f(self, *names: str) -> NDArray[np.bool_]:
        """True where the operation is one of ``names``."""
        column = self.table["f"].combine_chunks()
        words = column.dictionary.to_pylist()
        wanted = np.array([word in names for word in words] or [False])
        return wanted[numbers_of(column.indices)] if len(words) else np.zeros(len(self), bool)

    def where(self, mask: NDArray[np.bool_]) -> History:
        """The operations where ``mask`` is true, in the same order."""
        return History(self.table.filter(pa.array(mask)))

    def as_of(self, cut_ns: int) -> History:
        """The history as somebody knew it at ``cut_ns``: what ended later may have happened by then, or not."""
        status = self.statuses().copy()
        status[(status == OK) & (self.ends_ns() > cut_ns)] = UNKNOWN
        return self.with_column("status", [STATUSES[code] for code in status])

    def with_column(self, name: str, values: Sequence[Any] | NDArray[Any] | pa.Array) -> History:
        """A copy with one column replaced."""
        position = self.table.column_names.index(name)
        return History(self.table.set_column(position, name, _typed(name, values)))


def _typed(name: str, values: Sequence[Any] | NDArray[Any] | pa.Array) -> pa.Array:
    if name == "status":
        return _status_column(values)
    if name == "f":
        return words_column(values)
    if name in _INTEGERS:
        return _as_array(values, pa.int64())
    if name == "error":
        return _as_array(values, pa.string())
    return payload_column(values)


def words_column(values: Any) -> pa.DictionaryArray:
    """Texts as a dictionary; of a list without Arrow's functions, whose module takes a tenth of a second to load."""
    if not isinstance(values, list):
        return _as_array(values, pa.string()).dictionary_encode()
    codes: dict[str, int] = {}
    stored = pa.array([None if word is None else codes.setdefault(word, len(codes)) for word in values], pa.int32())
    return pa.DictionaryArray.from_arrays(stored, pa.array(list(codes), pa.string()))


def _as_array(values: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.Array):
        return values if values.type == kind else values.cast(kind)
    if isinstance(values, np.ndarray) and kind == pa.int64() and np.issubdtype(values.dtype, np.signedinteger):
        return _stored(values.astype(np.int64, copy=False), kind)
    return pa.array(values, kind)


def _stored(numbers: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """An array over numpy's own memory; Arrow's way to make one loads numpy.ma, to see whether it is one of those."""
    return pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(np.ascontiguousarray(numbers))])


def payload_column(values: Any) -> pa.Array:
    """int64 if every value is a whole number or null, JSON text otherwise."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.Array):
        return values
    if isinstance(values, np.ndarray) and np.issubdtype(values.dtype, np.integer):
        return _stored(values.astype(np.int64, copy=False), pa.int64())
    kinds = set(map(type, values))
    if all(kind is type(None) or (issubclass(kind, (int, np.integer)) and kind is not bool) for kind in kinds):
        try:
            return pa.array(values, pa.int64())
        except OverflowError:
            pass
    return pa.array([None if value is None else to_json(value) for value in values], pa.string())


def numbers_of(array: Any) -> NDArray[Any]:
    """An Arrow array of whole numbers as numpy sees it, without a copy; what nulls hold is undefined.

    Arrow's own ``to_numpy`` loads pandas for it: 40 MB and a third of a second.
    """
    dtype = np.dtype(str(array.type))
    data = array.buffers()[1]
    if data is None or not len(array):
        return np.zeros(len(array), dtype=dtype)
    return np.frombuffer(data, dtype=dtype)[array.offset : array.offset + len(array)]


def present_in(array: Any) -> NDArray[np.bool_]:
    """Where an Arrow array holds something; asked of Arrow, that loads pandas or its module of functions."""
    buffer = array.buffers()[0]
    if buffer is None or not array.null_count:
        return np.full(len(array), not array.null_count)
    bits = np.unpackbits(np.frombuffer(buffer, dtype=np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(np.bool_)


def to_json(value: Any) -> str:
    """The one JSON text of a value: the keys of a map sorted, no negative zero, ``NaN`` and the infinities as texts.

    :raises MalformedHistory: for what JSON cannot hold: half a surrogate pair, a map of which two keys are one as text
    """
    kind = type(value)
    if kind is dict or kind is list or kind is tuple or kind is float:
        value = _canonical(value)
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY).decode()
    except (orjson.JSONEncodeError, UnicodeError) as error:
        raise MalformedHistory(f"a value that cannot be kept: {error}") from None


def _canonical(value: Any, depth: int = 0) -> Any:
    if depth > DEPTH_MOST:
        raise MalformedHistory(f"a value is nested more than {DEPTH_MOST} deep")
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else {math.inf: "##Inf", -math.inf: "##-Inf"}.get(value, "##NaN")
    if isinstance(value, (list, tuple)):
        return [_canonical(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    named = {key if isinstance(key, str) else to_json(key): _canonical(item, depth + 1) for key, item in value.items()}
    if len(named) < len(value):
        raise MalformedHistory("a map has two keys that are one as text")
    return dict(sorted(named.items()))


def token_of(value: Any) -> Token | None:
    """A value as something to compare and to hash: a whole number is itself, anything else its JSON text."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    return to_json(value)


def value_of(token: Token | None) -> Any:
    """The inverse of ``token_of``, for showing."""
    return orjson.loads(token) if isinstance(token, str) else token


def in_order(tokens: Iterable[Token | None]) -> list[Token | None]:
    """Sorted: nothing, numbers by size, texts."""
    return sorted(tokens, key=lambda token: (token is not None, isinstance(token, str), token or 0))


def _token(text: str | None) -> Token | None:
    return int(text) if text is not None and _WHOLE.fullmatch(text) else text


def _status_column(values: Any) -> pa.DictionaryArray:
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        codes = _codes(values, STATUSES)
    elif isinstance(values, np.ndarray) and np.issubdtype(values.dtype, np.integer):
        codes = values.astype(np.int8)
    else:
        known = {word: code for code, word in enumerate(STATUSES)}
        try:
            codes = np.array([UNKNOWN if word is None else known[word] for word in values], dtype=np.int8)
        except KeyError as error:
            raise MalformedHistory(f"status {error} is none of {', '.join(STATUSES)}") from None
    return pa.DictionaryArray.from_arrays(_stored(codes, pa.int8()), pa.array(STATUSES))


def _codes(column: Any, words: Sequence[str]) -> NDArray[np.int8]:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    try:
        to_code = np.array([words.index(word) for word in column.dictionary.to_pylist()] or [0], dtype=np.int8)
    except ValueError as error:
        raise MalformedHistory(f"unknown status: {error}") from None
    indices = column.indices.fill_null(0) if column.null_count else column.indices
    codes: NDArray[np.int8] = to_code[numbers_of(indices)]
    return codes


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """A float column that pandas made of whole numbers with gaps, as the int64 it was."""
    if pa.types.is_floating(column.type):
        return column.cast(pa.int64())
    return column.combine_chunks()


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
