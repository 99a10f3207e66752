"""From events (an invocation, and later its completion) to a history of operations.

An event is a mapping with Jepsen's keys: ``type`` (invoke, ok, fail, info), ``process``, ``f``,
``value``, and if there are any ``key``, ``time`` (nanoseconds), ``error``. What matters is their
order in the file: where times are missing, equal or run backwards they are moved on by a
nanosecond, so that the history has the order of the file and otherwise the file's times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaosday.errors import MalformedHistory
from chaosday.model.history import History
from chaosday.record.transactions import column, is_mop, with_transactions

TYPES = ("invoke", "ok", "fail", "info")
_STATUS = {"ok": "ok", "fail": "failed", "info": "unknown"}
_NO_PROCESS = -1


@dataclass(frozen=True)
class Imported:
    """A history read from somebody's file.

    ``notes`` says what in the file is not an operation (a nemesis, log lines); ``options`` are the
    model options that the format or the file itself states; ``published`` marks a test case of the
    project whose checks are asked: its convention for an empty history is followed then.
    """

    history: History
    format: str
    notes: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    published: bool = False


@dataclass
class _Rows:
    process: list[int] = field(default_factory=list)
    f: list[str | None] = field(default_factory=list)
    key: list[Any] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    got: list[Any] = field(default_factory=list)
    start_ns: list[int] = field(default_factory=list)
    end_ns: list[int | None] = field(default_factory=list)
    status: list[str] = field(default_factory=list)
    error: list[str | None] = field(default_factory=list)

    def begin(self, process: int, event: Mapping[str, Any], at_ns: int) -> int:
        self.process.append(process)
        self.f.append(event.get("f"))
        self.key.append(event.get("key"))
        self.asked.append(event.get("value"))
        self.got.append(None)
        self.start_ns.append(at_ns)
        self.end_ns.append(None)
        self.status.append("unknown")
        self.error.append(None)
        return len(self.f) - 1

    def end(self, row: int, event: Mapping[str, Any], at_ns: int) -> None:
        self.got[row] = event.get("value")
        self.end_ns[row] = at_ns
        self.status[row] = _STATUS[event["type"]]
        error = event.get("error")
        self.error[row] = None if error is None else str(error)


def paired(
    events: Sequence[Any], line: Callable[[int], int | None], *, strict: bool = True
) -> tuple[History, tuple[str, ...]]:
    """The history of ``events`` and notes about those that are no client's.

    ``line(i)`` names the line of event ``i`` for errors. A strict reading refuses two invocations
    open on one process and an end without a start; test cases are written with less care, and are
    read with what there is.
    """
    rows = _Rows()
    open_at: dict[int, list[int]] = {}
    others: Counter[str] = Counter()
    at_ns = -1
    for number, event in enumerate(events):
        kind = _kind(event, number, line)
        time = event.get("time")
        at_ns = max(at_ns + 1, time) if isinstance(time, int) and time >= 0 else at_ns + 1
        process = _process(event)
        if process is None:
            others[str(event["process"])] += 1
            continue
        opened = open_at.setdefault(process, [])
        if kind == "invoke":
            if opened and strict:
                raise MalformedHistory(
                    f"process {process} begins an operation while another of its is open", line(number)
                )
            opened.append(rows.begin(process, event, at_ns))
            continue
        row = next((row for row in opened if strict or _answers(rows, row, event)), None)
        if row is not None:
            opened.remove(row)
        elif strict:
            raise MalformedHistory(f"an operation of process {process} ends that never began", line(number))
        else:
            row = rows.begin(process, event, at_ns)
        rows.end(row, event, at_ns)
    notes = tuple(f"{count} events of {name} are not operations" for name, count in sorted(others.items()))
    return _history(rows), notes


def _process(event: Mapping[str, Any]) -> int | None:
    """The number of a client's process; None for what is no client, a nemesis."""
    process = event.get("process")
    if process is None:
        return _NO_PROCESS
    if isinstance(process, int):
        return process
    return int(process) if str(process).isdigit() else None


def _answers(rows: _Rows, row: int, event: Mapping[str, Any]) -> bool:
    """Whether a completion can be that of an open invocation: the same ``f``, of transactions the same shape."""
    asked, got = rows.asked[row], event.get("value")
    if event.get("f") != rows.f[row]:
        return False
    if not (
        isinstance(asked, list) and isinstance(got, list) and asked and got and is_mop(asked[0]) and is_mop(got[0])
    ):
        return True
    shapes = ([(m[0], m[1], m[2:] if m[0] != "r" else None) for m in mops] for mops in (asked, got))
    return next(shapes) == next(shapes)


def _kind(event: Any, number: int, line: Callable[[int], int | None]) -> str:
    if not isinstance(event, Mapping):
        raise MalformedHistory(f"an operation is a map, not {str(event)[:40]!r}", line(number))
    kind = event.get("type")
    if kind not in TYPES:
        raise MalformedHistory(f"the type of an operation is one of {', '.join(TYPES)}, not {kind!r}", line(number))
    return str(kind)


def _history(rows: _Rows) -> History:
    _lift(rows)
    transactional = _transactional(rows)
    columns: dict[str, Any] = {
        "process": rows.process,
        "f": [str(f) if f is not None else ("txn" if transactional else "op") for f in rows.f],
        "key": rows.key,
        "start_ns": rows.start_ns,
        "end_ns": rows.end_ns,
        "status": rows.status,
        "error": rows.error,
    }
    if not transactional:
        return History.from_columns({**columns, "value": rows.asked, "result": rows.got})
    done = [got if got is not None else asked for asked, got in zip(rows.asked, rows.got, strict=True)]
    return with_transactions(History.from_columns(columns), column([mops or [] for mops in done]))


def _transactional(rows: _Rows) -> bool:
    said = [value for value in (*rows.asked, *rows.got) if value is not None]
    return any(said) and all(isinstance(value, list) and all(is_mop(mop) for mop in value) for value in said)


def _lift(rows: _Rows) -> None:
    """Undo Jepsen's lifting: ``[k v]`` values become a key and a value, if every value is one.

    A compare-and-set's ``[old new]`` is a pair too; lifted it is ``[k [old new]]``.
    """
    if any(key is not None for key in rows.key):
        return
    said = [
        (f, value) for f, value in zip((*rows.f, *rows.f), (*rows.asked, *rows.got), strict=True) if value is not None
    ]
    if not said or not all(_is_lifted(f, value) for f, value in said):
        return
    if all(value is None for value in rows.asked):
        return  # no invocation names a key: these are results that happen to be pairs
    for row, (asked, got) in enumerate(zip(rows.asked, rows.got, strict=True)):
        pair = asked if asked is not None else got
        if pair is None:
            continue
        rows.key[row] = pair[0]
        rows.asked[row] = None if asked is None else asked[1]
        rows.got[row] = None if got is None else got[1]


def _is_lifted(f: str | None, value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], (int, str)):
        return False
    if f == "cas":
        return isinstance(value[1], list)
    return not is_mop(value)
