"""A table of every type of column that conversions like to damage, beside ``simulated``."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

_WORDS = ("café", "naïve", "Zürich", "plain", "jalapeño", "crème brûlée", "straw", "señor", "stone", "Ångström")


def simulate_table(rows: int, *, seed: int) -> pa.Table:
    """``rows`` rows by ``id``: texts with letters beyond ASCII and with zeros in front, NULLs, zeros, doubles,
    numbers of more than 53 bits, flags, times."""
    rng = np.random.default_rng(seed)
    names = [f"{_WORDS[n % len(_WORDS)]} {n}" for n in range(rows)]
    notes = [None if rng.random() < 0.2 else f"note {n}" for n in range(rows)]
    amounts = np.where(rng.random(rows) < 0.2, 0.0, rng.normal(100, 30, rows))
    created = np.datetime64("2024-01-01T00:00:00", "us") + rng.integers(0, 10**12, rows).astype("timedelta64[us]")
    return pa.table(
        {
            "id": pa.array(np.arange(1, rows + 1), pa.int64()),
            "name": pa.array(names, pa.string()),
            "note": pa.array(notes, pa.string()),
            "amount": pa.array(amounts, pa.float64()),
            "pieces": pa.array(rng.integers(1, 1_000, rows), pa.int64()),
            "created": pa.array(created, pa.timestamp("us")),
            "code": pa.array([f"{n:05}" for n in range(rows)], pa.string()),
            "serial": pa.array(2**53 + 1 + 2 * rng.integers(0, 10**9, rows), pa.int64()),
            "active": pa.array(rng.random(rows) < 0.5, pa.bool_()),
        }
    )
