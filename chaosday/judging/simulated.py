"""A ledger run without a database: a history with known truth, for placebo runs and benchmarks.

Writers take turns, each with one operation open at a time; some operations fail, some end unknown
and happen anyway, or late, or never. The rows are those of a store that keeps its promises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from chaosday.clients.ledger import row_id, rows_table
from chaosday.model.history import FAILED, OK, UNKNOWN, History

if TYPE_CHECKING:
    import pyarrow as pa

_TURN_NS = 50_000


@dataclass(frozen=True)
class Run:
    """What was asked and what a sound store holds afterwards."""

    history: History
    rows: pa.Table


@dataclass
class _Writer:
    """A client's own rows: id -> version, for those whose version it knows."""

    number: int
    sequence: int = 0
    versions: dict[int, int] = field(default_factory=dict)
    owned: list[int] = field(default_factory=list)


def simulate_ledger(
    operations: int,
    *,
    seed: int,
    writers: int = 8,
    update_share: float = 0.3,
    unsettled_share: float = 0.02,
) -> Run:
    """Make up ``operations`` ledger operations, the given share of them failed or unknown, half each."""
    rng = np.random.default_rng(seed)
    clients = [_Writer(number) for number in range(writers)]
    columns: dict[str, list[int]] = {
        name: [] for name in ("process", "key", "value", "result", "start_ns", "end_ns", "status", "insert")
    }
    rows: dict[int, tuple[int, int, int]] = {}
    draws = rng.random((operations, 5))
    values = rng.integers(0, 1 << 40, operations)
    for number in range(operations):
        client = clients[number % writers]
        kind, ending, pick, length, moment = draws[number]
        start = number * _TURN_NS + int(pick * _TURN_NS / 2)
        end = start + int((0.2 + 0.6 * length) * (writers - 1) * _TURN_NS) + 1
        updating = bool(client.owned) and kind < update_share
        key, version = _target(client, updating, pick)
        status = OK if ending >= unsettled_share else FAILED if ending < unsettled_share / 2 else UNKNOWN
        happens = status == OK or (status == UNKNOWN and moment < 0.5)
        if happens:
            placed = rows[key][2] if updating else start + int(moment * (end - start)) * (5 if status == UNKNOWN else 1)
            rows[key] = (version, int(values[number]), placed)
        _settle(client, key, version, status)
        for name, item in zip(
            columns,
            (client.number, key, int(values[number]), version, start, end, status, int(not updating)),
            strict=True,
        ):
            columns[name].append(item)
    return Run(_history(columns), _rows(rows))


def _target(client: _Writer, updating: bool, pick: float) -> tuple[int, int]:
    if updating:
        key = client.owned[int(pick * len(client.owned))]
        return key, client.versions[key] + 1
    client.sequence += 1
    return row_id(client.number, client.sequence), 1


def _settle(client: _Writer, key: int, version: int, status: int) -> None:
    """An unknown outcome ends a row's life as a target: its version is no longer known."""
    if status == OK:
        if key not in client.versions:
            client.owned.append(key)
        client.versions[key] = version
    elif status == UNKNOWN and client.versions.pop(key, None) is not None:
        client.owned.remove(key)


def _history(columns: dict[str, list[int]]) -> History:
    arrays = {name: np.array(column, dtype=np.int64) for name, column in columns.items()}
    settled = arrays["status"] == OK
    return History.from_columns(
        {
            "process": arrays["process"],
            "f": np.where(arrays["insert"] == 1, "insert", "update"),
            "key": arrays["key"],
            "value": arrays["value"],
            "result": [int(version) if ok else None for version, ok in zip(arrays["result"], settled, strict=True)],
            "start_ns": arrays["start_ns"],
            "end_ns": arrays["end_ns"],
            "status": arrays["status"],
        }
    )


def _rows(rows: dict[int, tuple[int, int, int]]) -> pa.Table:
    ids = np.array(list(rows), dtype=np.int64)
    content = np.array(list(rows.values()), dtype=np.int64).reshape(-1, 3)
    position = np.empty(len(ids), dtype=np.int64)
    position[np.argsort(content[:, 2], kind="stable")] = np.arange(1, len(ids) + 1)
    return rows_table({"id": ids, "version": content[:, 0], "value": content[:, 1], "position": position})
