"""The ledger: rows whose every content is known beforehand, so that any damage to them shows.

The contract between the workload that writes it and everything that judges it:

* A row's id is ``row_id(writer, sequence)`` and never used again; a writer has one operation open
  at a time and updates only its own rows.
* History: ``f`` is ``insert`` or ``update``, ``key`` the id, ``value`` the value written, ``result``
  the version written (1 by an insert, n + 1 by an update). For operations that are not ok the
  ``result`` may hold the version attempted; without it any version that fits is allowed.
* An update applies only to the version before it, so that versions of a row never go back.
* Rows read back: ``id``, ``version``, ``value``, ``checksum`` (of these three), and ``position``,
  which the database gives out in the order of insertion.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from chaosday.errors import MalformedHistory
from chaosday.model.history import FAILED, NEVER_NS, OK, UNKNOWN, History

if TYPE_CHECKING:
    from numpy.typing import NDArray

WRITER_SHIFT = 40
FUNCTIONS = ("insert", "update")
ROWS_SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("version", pa.int32()),
        ("value", pa.int64()),
        ("checksum", pa.int64()),
        ("position", pa.int64()),
    ]
)
_MASK = (1 << 64) - 1
_STEPS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_SALTS = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03, 0x8CB92BA72F3D8DD7)


def row_id(writer: int, sequence: int) -> int:
    """The identity of the ``sequence``-th row of a writer, for ever."""
    return (writer << WRITER_SHIFT) | sequence


def checksum(row: int, version: int, value: int) -> int:
    """A 63-bit digest of a row's content, fit for a bigint: two different rows share one by an
    accident of 1 in 2^63. The mixing step is splitmix64's (Steele, Lea and Flood, OOPSLA 2014)."""
    mixed = 0
    for word, salt in zip((row, version, value), _SALTS, strict=True):
        mixed = _mix(((mixed ^ (word & _MASK)) + salt) & _MASK)
    return mixed >> 1


def checksums(rows: NDArray[np.int64], versions: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """``checksum`` of every row at once."""
    mixed = np.zeros(len(rows), dtype=np.uint64)
    for words, salt in zip((rows, versions, values), _SALTS, strict=True):
        mixed ^= words.astype(np.int64, copy=False).view(np.uint64)
        mixed += np.uint64(salt)
        for shift, factor in _STEPS:
            mixed ^= mixed >> np.uint64(shift)
            mixed *= np.uint64(factor)
        mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(1)).astype(np.int64)


def rows_table(columns: dict[str, Sequence[int] | NDArray[np.int64]]) -> pa.Table:
    """Rows as they are stored in evidence; the checksum is computed where it is not given."""
    ids, versions, values = (np.asarray(columns[name], dtype=np.int64) for name in ("id", "version", "value"))
    sums = np.asarray(columns.get("checksum", checksums(ids, versions, values)), dtype=np.int64)
    positions = np.asarray(columns.get("position", np.arange(len(ids))), dtype=np.int64)
    arrays = [pa.array(column) for column in (ids, versions.astype(np.int32), values, sums, positions)]
    return pa.Table.from_arrays(arrays, schema=ROWS_SCHEMA)


def is_ledger(table: pa.Table) -> bool:
    """Whether a table has the columns of a ledger read back."""
    return all(name in table.column_names for name in ROWS_SCHEMA.names)


@dataclass(frozen=True, eq=False)
class Operations:
    """The ledger operations of a history as columns, in order of invocation.

    ``version`` is 0 where it is not known which one was attempted.
    """

    index: NDArray[np.int64]
    process: NDArray[np.int64]
    key: NDArray[np.int64]
    value: NDArray[np.int64]
    version: NDArray[np.int64]
    insert: NDArray[np.bool_]
    status: NDArray[np.int8]
    start_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.key)

    def counts(self) -> dict[str, int]:
        """How many ended ok, failed and unknown."""
        return {
            "acknowledged": int(np.count_nonzero(self.status == OK)),
            "unknown": int(np.count_nonzero(self.status == UNKNOWN)),
            "failed": int(np.count_nonzero(self.status == FAILED)),
        }


@dataclass(frozen=True, eq=False)
class Expected:
    """What the acknowledgements promise of each row, by id, ascending.

    ``version`` is the highest acknowledged one and ``value`` what it wrote; ``version`` 0 means that
    nothing about the row was acknowledged. ``highest`` is the highest version that anything not
    provably failed can have written. ``insert`` is the position in ``Operations`` of the row's
    insertion, -1 where the history lacks it.
    """

    id: NDArray[np.int64]
    version: NDArray[np.int64]
    value: NDArray[np.int64]
    highest: NDArray[np.int64]
    insert: NDArray[np.int64]


_operations: weakref.WeakKeyDictionary[History, Operations] = weakref.WeakKeyDictionary()
_expected: weakref.WeakKeyDictionary[History, Expected] = weakref.WeakKeyDictionary()


def operations(history: History) -> Operations:
    """The ledger's part of a history; remembered as long as the history lives, which is immutable.

    Raises ``MalformedHistory`` where an acknowledged update does not say which version it wrote.
    """
    if history not in _operations:
        _operations[history] = _read(history.where(history.is_f(*FUNCTIONS)))
    return _operations[history]


def expected(history: History) -> Expected:
    """What the history promises of each row; remembered like ``operations``."""
    if history not in _expected:
        _expected[history] = _promise(operations(history))
    return _expected[history]


def sound_rows(history: History) -> pa.Table:
    """The rows of a store that kept every acknowledged write and nothing else.

    Positions follow the order of completion, which agrees with every order that real time forces.
    """
    promised, ops = expected(history), operations(history)
    kept = promised.version > 0
    inserts = promised.insert[kept]
    ends = np.where(inserts >= 0, ops.end_ns[inserts] if len(ops) else 0, NEVER_NS)
    position = np.empty(len(ends), dtype=np.int64)
    position[np.argsort(ends, kind="stable")] = np.arange(1, len(ends) + 1)
    return rows_table(
        {
            "id": promised.id[kept],
            "version": promised.version[kept],
            "value": promised.value[kept],
            "position": position,
        }
    )


def _read(history: History) -> Operations:
    status, insert = history.statuses(), history.is_f("insert")
    version = _whole(history, "result", 0)
    version[insert & (version == 0)] = 1
    nameless = np.count_nonzero((status == OK) & (version < 1))
    if nameless:
        raise MalformedHistory(f"{nameless} acknowledged updates do not say which version they wrote")
    return Operations(
        index=history.integers("index"),
        process=history.integers("process"),
        key=_whole(history, "key", -1),
        value=_whole(history, "value", 0),
        version=version,
        insert=insert,
        status=status,
        start_ns=history.integers("start_ns"),
        end_ns=history.ends_ns(),
    )


def _whole(history: History, name: str, null: int) -> NDArray[np.int64]:
    """A payload column as int64; it is JSON text where another workload shares the history."""
    column = history.table[name]
    if pa.types.is_null(column.type):
        return np.full(len(history), null, dtype=np.int64)
    try:
        return np.array(column.cast(pa.int64()).fill_null(null).to_numpy(), dtype=np.int64)
    except pa.ArrowInvalid:
        raise MalformedHistory(f"a ledger operation's {name} is not a whole number") from None


def _promise(ops: Operations) -> Expected:
    live = np.flatnonzero(ops.status != FAILED)
    ids, inverse, live_count = np.unique(ops.key[live], return_inverse=True, return_counts=True)
    highest = np.zeros(len(ids), dtype=np.int64)
    np.maximum.at(highest, inverse, ops.version[live])
    # An unknown update that does not say what it attempted can have come after any other of its row.
    vague = np.zeros(len(ids), dtype=np.bool_)
    vague[inverse[ops.version[live] == 0]] = True
    highest = np.where(vague, np.maximum(highest, live_count), highest)

    sure = live[ops.status[live] == OK]
    where = inverse[ops.status[live] == OK]
    order = np.lexsort((ops.version[sure], where))
    last = order[np.append(np.diff(where[order]) != 0, True)] if len(order) else order
    version, value = np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids), dtype=np.int64)
    version[where[last]] = ops.version[sure[last]]
    value[where[last]] = ops.value[sure[last]]

    insert = np.full(len(ids), -1, dtype=np.int64)
    is_insert = ops.insert[live]
    insert[inverse[is_insert][::-1]] = live[is_insert][::-1]
    return Expected(ids, version, value, highest, insert)


def _mix(word: int) -> int:
    for shift, factor in _STEPS:
        word = ((word ^ (word >> shift)) * factor) & _MASK
    return word ^ (word >> 31)
