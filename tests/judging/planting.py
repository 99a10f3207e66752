"""Evidence in a few words, for tests: ``ledger("1 insert 10 ok", rows=[(1, 1, 10)])``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from chaosday.clients.ledger import rows_table
from chaosday.judging.simulated import simulate_ledger
from chaosday.model.evidence import Evidence
from chaosday.model.history import History

NOWHERE = Path("/nonexistent")


def operation(words: str, position: int = 0) -> dict[str, Any]:
    """``KEY insert VALUE STATUS``, ``KEY update VALUE STATUS VERSION``; ``@START-END`` gives times in
    nanoseconds, without it operations follow one another."""
    text, _, times = words.partition("@")
    key, f, value, status, *version = text.split()
    start, _, end = times.partition("-") if times else (str(position * 10), "", str(position * 10 + 5))
    return {
        "process": int(key) % 10,
        "f": f,
        "key": int(key),
        "value": int(value),
        "result": int(version[0]) if version else (1 if status == "ok" and f == "insert" else None),
        "start_ns": int(start),
        "end_ns": int(end) if end else None,
        "status": status,
    }


def history(*operations: str) -> History:
    """A history of ``operation`` words, in order of invocation."""
    return History.from_rows([operation(words, number) for number, words in enumerate(operations)])


def rows(*content: Sequence[int]) -> pa.Table:
    """Rows from ``(id, version, value)``, ``(.., position)`` or ``(.., position, checksum)``."""
    columns: dict[str, list[int]] = {
        name: [row[i] for row in content] for i, name in enumerate(("id", "version", "value"))
    }
    columns["position"] = [row[3] if len(row) > 3 else number for number, row in enumerate(content)]
    table = rows_table(columns)
    sums = [row[4] if len(row) > 4 else table["checksum"][i].as_py() for i, row in enumerate(content)]
    return table.set_column(3, "checksum", pa.array(sums, pa.int64()))


def ledger(*operations: str, found: Sequence[Sequence[int]] = (), store: str = "survivor") -> Evidence:
    """Evidence of a ledger run with the rows found afterwards."""
    return Evidence(NOWHERE).replaced(history=history(*operations), rows={store: rows(*found)})


def simulated(operations: int = 2_000, seed: int = 1, **shares: float) -> Evidence:
    """Evidence of a made-up run against a sound store."""
    run = simulate_ledger(operations, seed=seed, **shares)  # type: ignore[arg-type]
    return Evidence(NOWHERE).replaced(history=run.history, rows={"survivor": run.rows})
