"""JSON lines, one operation a line with the history's own columns: the fastest text to read.

``{"index":0,"process":3,"f":"txn","value":[["r","x",null]],"result":[["r","x",1]],"start_ns":5,"end_ns":9,"status":"ok"}``
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from chaosday.data.formats.events import Imported
from chaosday.data.formats.json_text import loader
from chaosday.errors import MalformedHistory
from chaosday.model.history import COLUMNS, STATUSES, History
from chaosday.record.recorder import collector_off
from chaosday.record.transactions import COLUMN, Transactions, column, is_mop, with_transactions

_PART = 20_000
_STATUSES = [*STATUSES, None]
_PLAIN = ("process", "start_ns", "end_ns", "status", "error", "index")


def read_jsonl(text: str) -> Imported:
    """One JSON object a line; absent columns are null, unknown ones are an error.

    Read in parts: what one part makes in lists and dicts still fits the processor's cache, and is
    gone before the next.
    """
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    with collector_off():
        loads = loader(text)
        parts = [_part(lines[low : low + _PART], low, loads) for low in range(0, len(lines), _PART)]
        if len({part.table.schema for part in parts}) > 1:
            # A column of numbers in one part and of texts in another has to be decided as a whole.
            parts = [_part(lines, 0, loads)]
    if not parts:
        return Imported(History.from_columns({"f": []}), "jsonl")
    return Imported(History(pa.concat_tables([part.table for part in parts])), "jsonl")


def write_jsonl(history: History) -> str:
    """The history as JSON lines; values that are not whole numbers as the JSON they are stored as."""
    txns = Transactions.of(history) if COLUMN in history.table.column_names else None
    lines = []
    for number, row in enumerate(history.table.select(COLUMNS).to_pylist()):
        for name in ("key", "value", "result"):
            if isinstance(row[name], str):
                row[name] = orjson.Fragment(row[name])
        if txns is not None:
            row["result"] = txns.mops(number)
        lines.append(orjson.dumps({name: value for name, value in row.items() if value is not None}))
    return b"\n".join(lines).decode() + ("\n" if lines else "")


def _part(lines: list[str], before: int, loads: Callable[[str], Any]) -> History:
    try:
        found = [loads(line) for line in lines]
    except orjson.JSONDecodeError:
        found = _by_line(lines, before)
    return _history(found, before)


def _by_line(lines: list[str], before: int) -> list[Any]:
    found = []
    for number, line in enumerate(lines, before + 1):
        try:
            found.append(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            raise MalformedHistory(f"this is not JSON: {error.msg}", number) from None
    return found


def _history(found: list[Any], before: int) -> History:
    names: set[str] = set()
    for number, row in enumerate(found, before + 1):
        if type(row) is not dict or "f" not in row:
            raise MalformedHistory("an operation is an object with at least f", number)
        if type(row["f"]) is not str or row.get("status", "ok") not in _STATUSES:
            raise MalformedHistory(f"f is a text, status one of {', '.join(STATUSES)}", number)
        names.update(row)
    if names - set(COLUMNS):
        raise MalformedHistory(f"{min(names - set(COLUMNS))} is no column of a history: {', '.join(COLUMNS)}")
    by_name = _transposed(found, sorted(names))
    columns: dict[str, Any] = {name: by_name[name] for name in (*_PLAIN, "f", "key") if name in names}
    columns.setdefault("index", np.arange(before, before + len(found)))
    columns.setdefault("status", [STATUSES[2]] * len(found))
    asked, got = (by_name.get(name, [None] * len(found)) for name in ("value", "result"))
    done = asked if "result" not in names else got
    if "result" in names and "value" in names:
        done = [value if result is None else result for value, result in zip(asked, got, strict=True)]
    if _maybe_transactions(done):
        return with_transactions(History.from_columns(columns), column([value or [] for value in done]))
    return History.from_columns({**columns, "value": asked, "result": got})


def _transposed(found: list[Any], names: list[str]) -> dict[str, Any]:
    """One sequence a column; all rows at once where they all have the same columns."""
    try:
        columns = (
            zip(*map(itemgetter(*names), found), strict=True) if len(names) > 1 else [[r[names[0]] for r in found]]
        )
        return dict(zip(names, columns, strict=True))
    except KeyError:
        return {name: [row.get(name) for row in found] for name in names}


def _maybe_transactions(done: Sequence[Any]) -> bool:
    """Whether these are lists, the first beginning with a micro-operation; ``column`` refuses what does not fit."""
    if not set(map(type, done)) <= {list, type(None)}:
        return False
    first = next((value for value in done if value), None)
    return first is not None and is_mop(first[0])
