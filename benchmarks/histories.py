"""Seeded histories of any size, made by columns: what a correct system would have answered, and planted faults.

Operation ``n`` takes effect at ``n`` microseconds; it begins and ends at random around that, so
that ``clients`` operations are open at a time and each client does one after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chaosday.model.history import History
from chaosday.record.transactions import APPEND, READ, WRITE, with_transactions

Ints = NDArray[np.int64]
_STEP_NS = 1_000


def timeline(count: int, clients: int, rng: np.random.Generator) -> dict[str, Any]:
    """Process, start and end of ``count`` operations, effects in order of their number."""
    effect = np.arange(count, dtype=np.int64) * _STEP_NS + clients * _STEP_NS
    reach = max(clients * _STEP_NS // 2 - 1, 1)
    return {
        "process": np.arange(count, dtype=np.int64) % clients,
        "start_ns": effect - rng.integers(0, reach, count),
        "end_ns": effect + rng.integers(0, reach, count),
    }


def registers(count: int, keys: int, clients: int, seed: int, *, stale: bool = False) -> History:
    """Reads and unique writes of registers, half and half; ``stale`` plants one read of an overwritten value.

    The stale read begins after another client's read of the newer value had ended.
    """
    rng = np.random.default_rng(seed)
    columns = timeline(count, clients, rng)
    key = rng.integers(0, keys, count)
    write = rng.random(count) < 0.5
    value = np.where(write, np.arange(count), 0)
    order = np.argsort(key, kind="stable")
    last = np.maximum.accumulate(np.where(write[order], np.arange(count), -1))
    first = np.searchsorted(key[order], np.arange(keys))
    seen = np.where(last >= first[key[order]], value[order][np.maximum(last, 0)], -1)
    result = np.empty(count, dtype=np.int64)
    result[order] = seen
    if stale:
        _plant_stale(columns, key, write, result)
    reads_nil = ~write & (result < 0)
    return History.from_columns(
        {
            **columns,
            "f": pa.DictionaryArray.from_arrays(pa.array(write.astype(np.int8)), pa.array(["read", "write"])).cast(
                pa.string()
            ),
            "key": key,
            "value": pa.array(value, mask=~write),
            "result": pa.array(result, mask=write | reads_nil),
            "status": np.zeros(count, dtype=np.int8),
        }
    )


def _plant_stale(columns: dict[str, Any], key: Ints, write: NDArray[np.bool_], result: Ints) -> None:
    """In the middle, make one read answer what was overwritten before it began."""
    start, end = columns["start_ns"], columns["end_ns"]
    for row in range(len(key) // 2, len(key)):
        if write[row] or result[row] < 0:
            continue
        older = np.flatnonzero(write[:row] & (key[:row] == key[row]))[-64:]
        done = older[end[older] < start[row]]
        if len(done) >= 2 and end[done[-2]] < start[done[-1]]:
            result[row] = done[-2]
            return
    raise ValueError("no read in this history could be made stale")


def list_append(count: int, seed: int, *, clients: int = 32, planted: int = 0) -> History:
    """Transactions of one to four reads and appends on ten active keys at a time, strictly serial.

    ``planted`` transactions miss everything: each of their reads sees an empty list although appends
    to it had been answered, which is G-single-item-realtime or worse.
    """
    rng = np.random.default_rng(seed)
    columns = timeline(count, clients, rng)
    first, key = _micro_operations(count, rng)
    append = rng.random(len(key)) < 0.5
    before, _ = _appended_before(key, append)
    lengths = np.where(append, 0, before)
    if planted:
        owner = np.repeat(np.arange(count), np.diff(first))
        chosen = rng.choice(np.unique(owner[~append & (before > 12)]), planted, replace=False)
        lengths[np.isin(owner, chosen) & ~append] = 0
    offsets = np.zeros(len(key) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    elements = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths) + 1
    structs = pa.StructArray.from_arrays(
        [
            pa.array(np.where(append, APPEND, READ).astype(np.int8)),
            pa.array(key),
            pa.array(before + 1, mask=~append),
            pa.ListArray.from_arrays(pa.array(offsets), pa.array(elements)),
        ],
        ["f", "key", "value", "list"],
    )
    return _transactional(columns, first, structs)


def rw_register(count: int, seed: int, *, clients: int = 32, planted: int = 0) -> History:
    """Transactions that read a key before they write it, so that the order of its versions is known.

    ``planted`` transactions update a version that had been overwritten before they began.
    """
    rng = np.random.default_rng(seed)
    columns = timeline(count, clients, rng)
    pairs = rng.integers(1, 3, count)
    owner = np.repeat(np.arange(count), pairs)
    block = np.arange(len(owner)) // 400
    key = block * 10 + rng.integers(0, 5, len(owner)) * 2 + (np.arange(len(owner)) - np.searchsorted(owner, owner)) % 2
    write = rng.random(len(owner)) < 0.5
    number = np.arange(1, len(owner) + 1)
    seen = _last_written(key, write, number)
    if planted:
        stale = np.flatnonzero(write & (_last_written(key, write, np.where(seen > 0, seen, 0)) > 0))
        chosen = rng.choice(stale[owner[stale] > clients], planted, replace=False)
        seen[chosen] = _last_written(key, write, seen)[chosen]
    sizes = np.bincount(owner, weights=1 + write, minlength=count).astype(np.int64)
    first = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(sizes, out=first[1:])
    at = np.cumsum(1 + write) - (1 + write)
    total = int(first[-1])
    f, keys, values = np.full(total, READ, np.int8), np.empty(total, np.int64), np.zeros(total, np.int64)
    keys[at], values[at] = key, seen
    f[at[write] + 1], keys[at[write] + 1], values[at[write] + 1] = WRITE, key[write], number[write]
    structs = pa.StructArray.from_arrays(
        [
            pa.array(f),
            pa.array(keys),
            pa.array(values, mask=(f == READ) & (values == 0)),
            pa.ListArray.from_arrays(pa.array(np.zeros(total + 1, np.int32)), pa.array([], pa.int64())),
        ],
        ["f", "key", "value", "list"],
    )
    return _transactional(columns, first.astype(np.int32), structs)


def _transactional(columns: dict[str, Any], first: Any, structs: pa.StructArray) -> History:
    count = len(columns["process"])
    history = History.from_columns(
        {**columns, "f": pa.array(["txn"] * count), "status": np.zeros(count, dtype=np.int8)}
    )
    return with_transactions(history, pa.ListArray.from_arrays(pa.array(first, pa.int32()), structs))


def _micro_operations(count: int, rng: np.random.Generator) -> tuple[Any, Ints]:
    first = np.zeros(count + 1, dtype=np.int32)
    np.cumsum(rng.integers(1, 5, count), out=first[1:])
    total = int(first[-1])
    return first, np.arange(total) // 400 * 10 + rng.integers(0, 10, total)


def _appended_before(key: Ints, append: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """How many appends to its key came before each micro-operation."""
    order = np.argsort(key, kind="stable")
    running = np.cumsum(append[order]) - append[order]
    first = np.searchsorted(key[order], key[order])
    before = np.empty(len(key), dtype=np.int64)
    before[order] = running - running[first]
    return before, order


def _last_written(key: Ints, write: NDArray[np.bool_], value: Ints) -> Ints:
    """The ``value`` of the last write of the same key before each row, 0 where there is none."""
    order = np.argsort(key, kind="stable")
    marks = np.where(write[order], np.arange(len(key)), -1)
    last = np.concatenate([[-1], np.maximum.accumulate(marks)[:-1]]) if len(key) else marks
    first = np.searchsorted(key[order], key[order])
    found = np.empty(len(key), dtype=np.int64)
    found[order] = np.where(last >= first, value[order][np.maximum(last, 0)], 0)
    return found


def kafka(count: int, seed: int, *, planted: int = 0) -> History:
    """Half sends of one message to one of 16 logs, half polls, each by the one consumer of its log.

    ``planted`` messages in the middle are acknowledged and seen by nobody.
    """
    rng = np.random.default_rng(seed)
    columns = timeline(count, 32, rng)
    row = np.arange(count, dtype=np.int64)
    sent = row[(row % 2 == 0) & (row < count - 64)]
    key = rng.integers(0, 16, len(sent))
    order = np.argsort(key, kind="stable")
    offset = np.empty(len(sent), dtype=np.int64)
    offset[order] = row[: len(sent)] - np.searchsorted(key[order], key[order])
    seen_by = sent + 1 + (2 * key + 1 - (sent + 1)) % 32
    seen = np.ones(len(sent), dtype=bool)
    seen[len(sent) // 2 : len(sent) // 2 + planted] = False
    entry = np.concatenate([sent, seen_by[seen]])
    polled = np.arange(len(entry)) >= len(sent)
    parts = [np.concatenate([part, part[seen]]) for part in (key, offset, sent)]
    arranged = np.lexsort((parts[1], entry))
    key, offset, value = (part[arranged] for part in parts)
    structs = pa.StructArray.from_arrays(
        [
            pa.array(polled[arranged].astype(np.int8)),
            pa.array(np.zeros(len(entry), dtype=np.int32)),
            pa.array(key),
            pa.array(offset),
            pa.array(value),
        ],
        ["f", "mop", "key", "offset", "value"],
    )
    first = np.searchsorted(entry[arranged], np.arange(count + 1)).astype(np.int32)
    f = pa.DictionaryArray.from_arrays(pa.array((row % 2).astype(np.int8)), pa.array(["send", "poll"])).cast(
        pa.string()
    )
    made = History.from_columns({**columns, "f": f, "status": np.zeros(count, dtype=np.int8)})
    return History(made.table.append_column("log", pa.ListArray.from_arrays(pa.array(first), structs)))
