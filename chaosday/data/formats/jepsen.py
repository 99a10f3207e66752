"""Jepsen's own notations: EDN, the same as JSON, its log lines, and its published test cases."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import orjson

from chaosday.data.formats import edn
from chaosday.data.formats.events import Imported, paired
from chaosday.data.formats.json_text import loader
from chaosday.errors import MalformedHistory, UsageError
from chaosday.model.history import UNKNOWN, History
from chaosday.record.logs import REBALANCED
from chaosday.record.recorder import collector_off
from chaosday.record.transactions import COLUMN, Transactions

_LOG = re.compile(r"(?:^|\s)(:?[\w-]+)\s+:(invoke|ok|fail|info)\s+:([^\s]+)(?:[ \t]+(.*))?$")
_TYPES = {"ok": "ok", "failed": "fail", "unknown": "info"}


def read_edn(text: str, *, independent: bool = False) -> Imported:
    """A vector of operation maps, or one map after the other."""
    found = edn.top_vector(text)
    positions = [at for _, at in found]
    history, notes = paired(
        [form for form, _ in found],
        lambda number: edn.lines_of(text, [positions[number]])[0],
        independent=independent,
    )
    return Imported(history, "edn", notes)


def read_json(text: str, *, independent: bool = False) -> Imported:
    """A JSON array of operations, or one JSON object a line."""
    if text.lstrip()[:1] == "{":
        events, line = _json_lines(text)
    else:
        events, line = _loads(text, 0), lambda number: _line_of_item(text, number)
        if not isinstance(events, list):
            raise MalformedHistory("a JSON history is an array of operations", 1)
    with collector_off():
        history, notes = paired(events, line, independent=independent)
    return Imported(history, "jepsen-json", notes)


def read_case(text: str, *, independent: bool = False) -> Imported:
    """A published test case: ``{"checker": ..., "opts": ..., "history": [...], "expected": ...}``."""
    case = _loads(text, 0)
    if not isinstance(case, dict) or not isinstance(case.get("history"), list):
        raise MalformedHistory("a test case is an object with a list called history", 1)
    start = text.find('"history"')
    first = edn.line_of(text, max(start, 0))
    opts = case.get("opts") or []
    if not isinstance(opts, (dict, list)):
        raise MalformedHistory("the opts of a test case are an object or a list", first)
    options = dict(opts) if isinstance(opts, dict) else {"arguments": opts}
    if isinstance(case.get("test"), dict):
        options = {**case["test"], **options}
    stated = options.pop("independent", False) is True
    # Its histories begin with what others wrote.
    options.setdefault("excerpt", True)
    history, notes = paired(case["history"], lambda _: first, strict=False, independent=independent or stated)
    return Imported(history, "case", notes, options, published=True)


def read_log(text: str, *, independent: bool = False) -> Imported:
    """Jepsen's log: lines that end in ``process :type :f value [error]``; other lines are counted."""
    events: list[dict[str, Any]] = []
    lines: list[int] = []
    skipped = 0
    for number, line in enumerate(text.splitlines(), 1):
        match = _LOG.search(line)
        if match is None:
            skipped += bool(line.strip())
            continue
        events.append(_logged(match, number))
        lines.append(number)
    if not events:
        raise MalformedHistory("no line of this is an operation in Jepsen's log format", 1)
    history, notes = paired(events, lines.__getitem__, independent=independent)
    if skipped:
        notes = (*notes, f"{skipped} lines of the log are not operations")
    # etcd answers nil for a key that is not there, and refuses a compare-and-set only on a mismatch.
    return Imported(history, "jepsen-log", notes, {"nil_read": "value", "failed_cas": "mismatch"})


def write_edn(history: History) -> str:
    """The history as EDN, one map a line."""
    return "".join(f"{_edn_event(event)}\n" for event in events_of(history))


def write_json(history: History) -> str:
    """The history as a JSON array of operations."""
    return "[" + ",\n ".join(orjson.dumps(event).decode() for event in events_of(history)) + "]\n"


def events_of(history: History) -> Iterator[dict[str, Any]]:
    """Invocations and completions as Jepsen has them, in order of time, keys lifted.

    ``UsageError`` for a history of sessions without times: as events it would claim a real-time
    order that nobody observed.
    """
    if np.any((history.integers("end_ns") == -1) & (history.statuses() != UNKNOWN)):
        raise UsageError("this history knows no times: write it as awdit, plume or sessions-json")
    rows = history.table.drop_columns([COLUMN] if COLUMN in history.table.column_names else []).to_pylist()
    txns = Transactions.of(history) if COLUMN in history.table.column_names else None
    events: list[tuple[int, int, dict[str, Any]]] = []
    for number, row in enumerate(rows):
        key = _value(row["key"])
        asked, got = _value(row["value"]), _value(row["result"])
        if txns is not None:
            got = txns.mops(number)
            asked = [[f, k, None if f == "r" else v] for f, k, v in got]
        common = {"process": row["process"], "f": row["f"]}
        if key is not None:
            common["independent"] = True
        asked, got = (_lifted(key, value) for value in (asked, got))
        events.append((row["start_ns"], 1, {"type": "invoke", **common, "value": asked, "time": row["start_ns"]}))
        if row["end_ns"] is not None:
            at = row["end_ns"]
            ended = {"type": _TYPES[row["status"]], **common, "value": asked if got is None else got, "time": at}
            if row["error"] is not None:
                ended["error"] = row["error"]
            if row.get(REBALANCED):
                ended["rebalance-log"] = [{"keys": row[REBALANCED]}]
            events.append((at, 0 if at > row["start_ns"] else 2, ended))
    # A completion comes before an invocation of the same instant, except the operation's own.
    for index, (_, _, event) in enumerate(sorted(events, key=lambda item: item[:2])):
        yield {"index": index, **event}


def _edn_event(event: Mapping[str, Any]) -> str:
    worded = {**event, "type": edn.Keyword(event["type"]), "f": edn.Keyword(event["f"])}
    value = event["value"]
    if isinstance(value, list) and value and all(isinstance(mop, list) and len(mop) == 3 for mop in value):
        worded["value"] = [[edn.Keyword(mop[0]), *mop[1:]] if isinstance(mop[0], str) else mop for mop in value]
    return edn.dumps(worded)


def _lifted(key: Any, value: Any) -> Any:
    return value if key is None else [key, value]


def _value(stored: Any) -> Any:
    return orjson.loads(stored) if isinstance(stored, str) else stored


def _logged(match: re.Match[str], number: int) -> dict[str, Any]:
    process, kind, f, rest = match.groups()
    try:
        said = [form for form, _ in edn.forms(rest or "")]
    except MalformedHistory as error:
        raise MalformedHistory(str(error), number) from None
    word = process.lstrip(":")
    event: dict[str, Any] = {
        "process": int(word) if word.isdecimal() and len(word) < 19 else word,
        "type": kind,
        "f": f,
        "value": said[0] if said else None,
    }
    if isinstance(event["value"], edn.Keyword):  # :timed-out in the place of a value
        event["error"], event["value"] = str(event["value"]), None
    if len(said) > 1:
        event["error"] = said[1]
    return event


def _json_lines(text: str) -> tuple[list[Any], Callable[[int], int]]:
    loads = loader(text)
    events: list[Any] = []
    numbers: list[int] = []
    with collector_off():
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                events.append(_loads(line, number, loads))
                numbers.append(number)
    return events, numbers.__getitem__


def _loads(text: str, line: int, loads: Callable[[str], Any] | None = None) -> Any:
    try:
        with collector_off():
            return (loads or loader(text))(text)
    except orjson.JSONDecodeError as error:
        raise MalformedHistory(f"this is not JSON: {error.msg}", line or error.lineno) from None


def _line_of_item(text: str, number: int) -> int:
    decoder, at = json.JSONDecoder(), text.index("[") + 1
    skip = re.compile(r"[\s,]*")
    for item in range(number + 1):
        match = skip.match(text, at)
        at = match.end() if match else at
        if item < number:
            _, at = decoder.raw_decode(text, at)
    return edn.line_of(text, at)
