"""JSON lines, one operation a line with the history's own columns: the fastest text to read.

``{"index":0,"process":3,"f":"txn","value":[["r","x",null]],"result":[["r","x",1]],"start_ns":5,"end_ns":9,"status":"ok"}``
"""

from __future__ import annotations

from typing import Any

import orjson

from chaosday.errors import MalformedHistory
from chaosday.formats.events import Imported
from chaosday.history import COLUMNS, STATUSES, History
from chaosday.recorder import collector_off
from chaosday.transactions import COLUMN, Transactions, column, is_mop, with_transactions

_PLAIN = ("process", "start_ns", "end_ns", "status", "error", "index")


def read_jsonl(text: str) -> Imported:
    """One JSON object a line; absent columns are null, unknown ones are an error."""
    with collector_off():
        try:
            # One document parses at the speed of one call, not of a million.
            found = orjson.loads("[" + text.strip().replace("\n", ",") + "]")
        except orjson.JSONDecodeError:
            found = _by_line(text)
        history = _history(found)
    return Imported(history, "jsonl")


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


def _by_line(text: str) -> list[Any]:
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                found.append(orjson.loads(line))
            except orjson.JSONDecodeError as error:
                raise MalformedHistory(f"this is not JSON: {error.msg}", number) from None
    return found


def _history(found: list[Any]) -> History:
    strange = next((n for n, row in enumerate(found) if not isinstance(row, dict) or "f" not in row), None)
    if strange is not None:
        raise MalformedHistory("an operation is an object with at least f", strange + 1)
    names = set().union(*found) if found else set()
    if names - set(COLUMNS):
        raise MalformedHistory(f"{min(names - set(COLUMNS))} is no column of a history: {', '.join(COLUMNS)}")
    columns: dict[str, Any] = {
        name: [row.get(name) for row in found] for name in (*_PLAIN, "f", "key") if name in names
    }
    columns.setdefault("f", [])
    columns.setdefault("status", [STATUSES[2]] * len(found))
    asked, got = ([row.get(name) for row in found] for name in ("value", "result"))
    done = [value if result is None else result for value, result in zip(asked, got, strict=True)]
    # The first micro-operation of the first rows decides; `column` refuses what does not fit.
    if any(done) and all(_maybe_transaction(value) for value in done):
        return with_transactions(History.from_columns(columns), column([value or [] for value in done]))
    return History.from_columns({**columns, "value": asked, "result": got})


def _maybe_transaction(value: Any) -> bool:
    return value is None or (type(value) is list and (not value or (type(value[0]) is list and is_mop(value[0]))))
