"""Rows of a ledger compared with what its history promises of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from chaosday.clients.ledger import Expected, Operations, checksums, expected, operations
from chaosday.errors import MalformedInput
from chaosday.model.finding import KEYS_SHOWN, Anomaly
from chaosday.model.history import FAILED, NEVER_NS, OK, History

if TYPE_CHECKING:
    from numpy.typing import NDArray

DETAILS_SHOWN = 20


@dataclass(frozen=True)
class Compared:
    """What the comparison gave: ``anomalies``; how many rows were ``owed`` (something of them was acknowledged),
    how many of these ``missed`` their newest content; and the rows ``recovered`` from unknown operations."""

    anomalies: list[Anomaly]
    owed: int
    missed: int
    recovered: NDArray[np.int64]


def compare(table: pa.Table, history: History) -> Compared:
    """Judge the rows by the history; both have the ledger's form (``chaosday.clients.ledger``)."""
    ops, promised = operations(history), expected(history)
    rows = _Rows.of(table, ops, promised)
    found = (*_presence(rows, promised), *_content(rows, promised), _order(rows, ops, promised))
    anomalies = [anomaly for anomaly in found if anomaly]
    owed = int(np.count_nonzero(promised.version))
    missed = sum(anomaly.count for anomaly in anomalies if anomaly.name in ("lost", "stale"))
    recovered = rows.id[rows.good & (rows.version > rows.owed)]
    return Compared(anomalies, owed, min(missed, owed), np.sort(recovered))


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows read back, each with what the history says of it.

    ``at`` is the row's position in ``Expected``, -1 if nobody attempted it. A row is ``torn``,
    ``unexpected`` or ``good`` (written by something that may have happened), and only one of these.
    """

    id: NDArray[np.int64]
    version: NDArray[np.int64]
    value: NDArray[np.int64]
    position: NDArray[np.int64]
    at: NDArray[np.int64]
    owed: NDArray[np.int64]
    torn: NDArray[np.bool_]
    unexpected: NDArray[np.bool_]

    @property
    def good(self) -> NDArray[np.bool_]:
        return ~(self.torn | self.unexpected)

    @classmethod
    def of(cls, table: pa.Table, ops: Operations, promised: Expected) -> _Rows:
        row, version, value, stored, position = (_column(table, name) for name in _NAMES)
        whole = checksums(row, version, value) == stored
        for name in _NAMES:
            if table[name].null_count:
                whole &= table[name].is_valid().to_numpy()
        at = _find(promised.id, row)
        known = at >= 0
        owed, highest = _take(promised.version, at), _take(promised.highest, at)
        exact = (owed > 0) & (version == owed) & (value == _take(promised.value, at))
        content, asked = (row, version, value), known & ~exact
        explained = exact | _attempted(content, asked & (version <= highest), ops, failed=False)
        strays = _attempted(content, asked & ~explained, ops, failed=True)
        unexpected = ~known | (whole & (strays | (version > highest) | (version < 1)))
        torn = ~unexpected & (~whole | ~explained)
        return cls(row, version, value, position, at, owed, torn, unexpected)


_NAMES = ("id", "version", "value", "checksum", "position")


def _column(table: pa.Table, name: str) -> NDArray[np.int64]:
    column = table[name]
    if column.null_count:
        column = column.fill_null(-1)
    try:
        return np.asarray(column.cast(pa.int64()).to_numpy(), dtype=np.int64)
    except pa.ArrowInvalid:
        raise MalformedInput(f"the ledger's column {name} holds {column.type}, whole numbers are needed") from None


def _find(sorted_ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of ``wanted`` stands in ``sorted_ids``, -1 where it does not."""
    if not len(sorted_ids):
        return np.full(len(wanted), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(sorted_ids, wanted), len(sorted_ids) - 1)
    return np.where(sorted_ids[at] == wanted, at, -1)


def _take(column: NDArray[np.int64], at: NDArray[np.int64]) -> NDArray[np.int64]:
    """``column`` at ``at``, 0 where that is -1."""
    return np.where(at >= 0, column[at], 0) if len(column) else np.zeros(len(at), dtype=np.int64)


def _attempted(
    content: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    asked: NDArray[np.bool_],
    ops: Operations,
    failed: bool,
) -> NDArray[np.bool_]:
    """Whether an operation that may have (or provably has not) taken effect wrote exactly this
    id, version and value; asked only where ``asked``, False elsewhere.

    Contents are compared by their 63-bit digest. An attempt of unknown version has version 0 in
    its digest, and matches a row of any version with the same id and value.
    """
    found = np.zeros(len(asked), dtype=np.bool_)
    if not asked.any():
        return found
    row, version, value = (column[asked] for column in content)
    eligible = ((ops.status == FAILED) == failed) & (_find(np.unique(row), ops.key) >= 0)
    digests = np.unique(checksums(ops.key[eligible], ops.version[eligible], ops.value[eligible]))
    exact = _find(digests, checksums(row, version, value)) >= 0
    vague = _find(digests, checksums(row, np.zeros_like(row), value)) >= 0
    found[asked] = exact | vague
    return found


def _presence(rows: _Rows, promised: Expected) -> tuple[Anomaly | None, ...]:
    present = np.zeros(len(promised.id), dtype=np.bool_)
    present[rows.at[rows.at >= 0]] = True
    lost = (promised.version > 0) & ~present
    ordered = np.sort(rows.id)
    again = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    return (
        _anomaly("lost", promised.id[lost], {"acknowledged_version": promised.version[lost]}),
        _anomaly("duplicated", again, {}),
    )


def _content(rows: _Rows, promised: Expected) -> tuple[Anomaly | None, ...]:
    newest = np.full(len(promised.id), -1, dtype=np.int64)
    good = rows.good
    np.maximum.at(newest, rows.at[good], rows.version[good])
    stale = (newest >= 0) & (newest < promised.version)
    found = {"version": rows.version, "value": rows.value}
    return (
        _anomaly(
            "stale",
            promised.id[stale],
            {"acknowledged_version": promised.version[stale], "found_version": newest[stale]},
        ),
        _anomaly("torn", rows.id[rows.torn], {name: column[rows.torn] for name, column in found.items()}),
        _anomaly(
            "unexpected", rows.id[rows.unexpected], {name: column[rows.unexpected] for name, column in found.items()}
        ),
    )


def _order(rows: _Rows, ops: Operations, promised: Expected) -> Anomaly | None:
    """Rows placed before one whose insertion had been acknowledged before theirs began.

    Only an acknowledged insert has an end that says anything; an unknown one can still be late,
    though never early. Rows that are there twice have no position of their own and are left out.
    """
    placed = np.flatnonzero(rows.at >= 0)
    row, once = np.unique(rows.at[placed], return_index=True)
    counts = np.bincount(rows.at[placed], minlength=int(row[-1]) + 1 if len(row) else 0)
    placed = placed[once][counts[row] == 1] if len(row) else placed
    insert = promised.insert[rows.at[placed]]
    placed, insert = placed[insert >= 0], insert[insert >= 0]
    position, start, end = rows.position[placed], ops.start_ns[insert], ops.end_ns[insert]
    ended = np.flatnonzero((ops.status[insert] == OK) & (end < NEVER_NS))
    if not len(ended):
        return None
    ended = ended[np.argsort(end[ended], kind="stable")]
    furthest = np.maximum.accumulate(position[ended])
    before = np.searchsorted(end[ended], start, side="left") - 1
    limit = np.where(before >= 0, furthest[before], np.iinfo(np.int64).min)
    late = np.flatnonzero(position < limit)
    late = late[np.argsort(position[late] - limit[late], kind="stable")]
    return _anomaly("reordered", rows.id[placed[late]], {"position": position[late], "behind_position": limit[late]})


def _anomaly(name: str, keys: NDArray[np.int64], facts: dict[str, NDArray[np.int64]]) -> Anomaly | None:
    if not len(keys):
        return None
    shown: list[dict[str, Any]] = [
        {"key": int(keys[i]), **{fact: int(column[i]) for fact, column in facts.items()}}
        for i in range(min(len(keys), DETAILS_SHOWN))
    ]
    return Anomaly(name=name, count=len(keys), keys=keys[:KEYS_SHOWN].tolist(), detail=shown)
