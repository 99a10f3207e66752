"""Sends to and polls of logs as columns: what a history of a Kafka-like system holds.

Operations are Jepsen's: ``send``, ``poll`` and ``txn`` hold micro-operations, ``["send", key, value]`` that ends as
``["send", key, [offset, value]]``, and ``["poll"]`` that ends as ``["poll", {key: [[offset, value], ...]}]``;
``assign`` and ``subscribe`` hold the keys that a consumer takes from then on in place of those it had. A key is one
log: a partition of a topic. An offset of null is not known.

A history made for speed has one more column, ``log``: a list of entries for each row, each a struct of ``f`` (0 sent,
1 polled, 2 polled with nothing seen of the key, 3 assigned, 4 rebalanced), ``mop`` (which micro-operation), ``key``,
``offset`` and ``value``. Otherwise they are read from the JSON in ``value`` and ``result``, and what was rebalanced
from ``rebalanced``, a list of keys for each row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from chaosday.errors import MalformedHistory
from chaosday.model.history import History, numbers_of, payload_column, to_json
from chaosday.record.transactions import Names, coded_integers

SEND, POLL, NOTHING, ASSIGN, REBALANCE = range(5)
DATA = ("send", "poll", "txn")
TAKES = ("assign", "subscribe")
COLUMN = "log"
REBALANCED = "rebalanced"
UNKNOWN_OFFSET = -1
_WHOLE = re.compile(r"-?\d{1,18}")
_SHOWN = 80
_LARGEST = 2**63 - 1

Ints = NDArray[Any]


@dataclass(frozen=True)
class Logs:
    """The entries of a history, in the order of its rows; one array a column, ``row`` the row of each entry.

    ``key`` holds codes from 0 to ``keys - 1``, ``value`` codes from 0 to ``values - 1``; what they stand for is in
    ``key_names`` and ``value_names``. The value of what was neither sent nor polled says nothing.
    """

    row: Ints
    f: NDArray[np.int8]
    mop: Ints
    key: Ints
    keys: int
    key_names: Names
    offset: Ints
    value: Ints
    values: int
    value_names: Names

    @classmethod
    def of(cls, history: History) -> Logs:
        """The entries of a history; ``MalformedHistory`` for what is no send, no poll and no list of keys."""
        if COLUMN in history.table.column_names:
            return cls._from_column(history.table[COLUMN])
        return cls._from_column(column(history))

    @classmethod
    def _from_column(cls, chunked: Any) -> Logs:
        array = chunked.combine_chunks() if isinstance(chunked, pa.ChunkedArray) else chunked
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks)
        first = numbers_of(array.offsets)
        structs = array.values.slice(first[0], first[-1] - first[0])
        key, keys, key_names = _coded(structs.field("key"), _shown)
        value, values, value_names = _coded(structs.field("value"), orjson.loads)
        return cls(
            row=np.repeat(np.arange(len(first) - 1, dtype=np.int32), np.diff(first)),
            f=numbers_of(structs.field("f")),
            mop=numbers_of(structs.field("mop")),
            key=key,
            keys=keys,
            key_names=key_names,
            offset=numbers_of(structs.field("offset").fill_null(UNKNOWN_OFFSET)),
            value=value,
            values=values,
            value_names=value_names,
        )


def column(history: History) -> pa.ListArray:
    """The ``log`` column of a history that holds its operations as JSON."""
    names = history.table["f"].to_pylist()
    moved = history.table[REBALANCED].to_pylist() if REBALANCED in history.table.column_names else None
    entries: list[tuple[int, int, str, int | None, Any]] = []
    first = np.zeros(len(names) + 1, dtype=np.int32)
    for row, said in enumerate(_said(history)):
        if names[row] in DATA:
            entries.extend(_mops(said, row))
        elif names[row] in TAKES:
            keys = said if isinstance(said, list) else [] if said is None else [said]
            entries.extend((ASSIGN, 0, _key(key), None, None) for key in keys)
        if moved is not None and moved[row]:
            entries.extend((REBALANCE, 0, key, None, None) for key in moved[row])
        first[row + 1] = len(entries)
    f, mop, key, offset, value = zip(*entries, strict=True) if entries else ((), (), (), (), ())
    if any(each is None and kind in (SEND, POLL) for each, kind in zip(value, f, strict=True)):
        # Nothing is a value like any other, where it was sent.
        values: Any = pa.array([to_json(each) for each in value], pa.string())
    else:
        values = payload_column(list(value))
    structs = pa.StructArray.from_arrays(
        [
            pa.array(f, pa.int8()),
            pa.array(mop, pa.int32()),
            pa.array(key, pa.string()),
            pa.array(offset, pa.int64()),
            values,
        ],
        ["f", "mop", "key", "offset", "value"],
    )
    return pa.ListArray.from_arrays(pa.array(first), structs)


def rebalanced_keys(said: Any) -> list[str]:
    """The keys of a rebalance log, ``[{"keys": [...]}, ...]``, as ``column`` names keys."""
    if not isinstance(said, Sequence) or isinstance(said, str):
        return []
    listed = [event.get("keys") or [] for event in said if isinstance(event, Mapping)]
    return [_key(key) for keys in listed if isinstance(keys, Sequence) for key in keys]


def _said(history: History) -> list[Any]:
    """What each operation did: its answer, or what was asked where there is none."""
    asked, got = (history.table[name].to_pylist() for name in ("value", "result"))
    texts = [value if result is None else result for value, result in zip(asked, got, strict=True)]
    if any(isinstance(text, str) for text in texts):
        joined = ",".join("null" if text is None else str(text) for text in texts)
        listed: list[Any] = orjson.loads(f"[{joined}]")
        return listed
    return texts


def _mops(said: Any, row: int) -> Iterator[tuple[int, int, str, int | None, Any]]:
    if said is None:
        return
    if not isinstance(said, list):
        raise _strange(said, row)
    for number, mop in enumerate(said):
        if not isinstance(mop, list) or not mop:
            raise _strange(mop, row)
        if mop[0] == "send" and len(mop) == 3:
            offset, value = _pair(mop[2], row) if isinstance(mop[2], list) else (None, mop[2])
            yield SEND, number, _key(mop[1]), offset, value
        elif mop[0] == "poll" and len(mop) <= 2:
            yield from _polled(mop[1] if len(mop) == 2 else None, number, row)
        else:
            raise _strange(mop, row)


def _polled(seen: Any, number: int, row: int) -> Iterator[tuple[int, int, str, int | None, Any]]:
    if seen is None:
        return
    if not isinstance(seen, dict):
        raise _strange(seen, row)
    for key, pairs in seen.items():
        if not pairs:
            yield NOTHING, number, _key(key), None, None
            continue
        if not isinstance(pairs, list):
            raise _strange(pairs, row)
        for pair in pairs:
            yield POLL, number, _key(key), *_pair(pair, row)


def _pair(pair: Any, row: int) -> tuple[int | None, Any]:
    if not isinstance(pair, list) or len(pair) != 2 or type(pair[0]) not in (int, type(None)):
        raise MalformedHistory(f"operation {row}: {_brief(pair)} is not an offset and a value")
    offset, value = pair
    if offset is not None and offset > _LARGEST:
        raise MalformedHistory(f"operation {row}: an offset beyond {_LARGEST}, which no log has")
    return (None if offset is None or offset < 0 else offset), value


def _strange(said: Any, row: int) -> MalformedHistory:
    return MalformedHistory(f"operation {row}: {_brief(said)} is neither a send nor a poll")


def _brief(said: Any) -> str:
    text = to_json(said)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _key(key: Any) -> str:
    # The keys of a JSON map are texts, whatever they were: 1 is sent to the log that is polled as "1".
    return key if isinstance(key, str) else to_json(key)


def _shown(name: str) -> Any:
    return int(name) if _WHOLE.fullmatch(name) else name


def _coded(array: Any, read: Callable[[str], Any]) -> tuple[Ints, int, Names]:
    if pa.types.is_integer(array.type):
        numbers = numbers_of(array)
        if array.null_count:
            # Without a value are those entries that are neither sent nor polled.
            there = array.is_valid().to_numpy(zero_copy_only=False)
            numbers = np.where(there, numbers, numbers[there].min(initial=2**62) if there.any() else 0)
        return coded_integers(numbers)
    words = array if pa.types.is_string(array.type) else array.cast(pa.string())
    encoded = words.dictionary_encode(null_encoding="encode")
    table = [None if word is None else read(word) for word in encoded.dictionary.to_pylist()]
    return numbers_of(encoded.indices).astype(np.int64), len(table), Names(table=table)
