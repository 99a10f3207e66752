"""From events (an invocation, and later its completion) to a history of operations.

An event is a mapping with Jepsen's keys: ``type`` (invoke, ok, fail, info), ``process``, ``f``,
``value``, and if there are any ``key``, ``time`` (nanoseconds), ``error``, ``independent`` (true
where the value is a key and a value, which Jepsen calls lifted). What matters is their order in the
file: where times are missing, equal or run backwards they are moved on by a nanosecond, so that the
history has the order of the file and otherwise the file's times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from chaosday.errors import MalformedHistory
from chaosday.model.history import History, token_of
from chaosday.record.logs import DATA, REBALANCED, TAKES, rebalanced_keys
from chaosday.record.transactions import column, is_mop, with_transactions

TYPES = ("invoke", "ok", "fail", "info")
_STATUS = {"ok": "ok", "fail": "failed", "info": "unknown"}
_NEMESIS = "nemesis"
_PROCESS_MOST = 2**62
_PAIRS = "every value is a pair: if these are a key and a value (Jepsen's independent), say so with --independent"


class Pair(list[Any]):
    """A key and a value that the file itself calls independent."""

    __slots__ = ()


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
    moved: dict[int, list[str]] = field(default_factory=dict)
    independent: bool = False

    def begin(self, process: int, event: Mapping[str, Any], at_ns: int) -> int:
        self._mark(event)
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
        self._mark(event)
        self.got[row] = event.get("value")
        self.end_ns[row] = at_ns
        self.status[row] = _STATUS[event["type"]]
        error = event.get("error")
        self.error[row] = None if error is None else str(error)
        if moved := rebalanced_keys(event.get("rebalance-log")):
            self.moved[row] = moved

    def _mark(self, event: Mapping[str, Any]) -> None:
        self.independent |= event.get("independent") is True or type(event.get("value")) is Pair


def paired(
    events: Sequence[Any], line: Callable[[int], int | None], *, strict: bool = True, independent: bool = False
) -> tuple[History, tuple[str, ...]]:
    """The history of ``events`` and notes about those that are no client's.

    ``independent`` says that values are a key and a value, as one event of the file may say itself.

    ``line(i)`` names the line of event ``i`` for errors. A strict reading refuses two invocations
    open on one process and an end without a start; test cases are written with less care, and are
    read with what there is.
    """
    rows = _Rows(independent=independent)
    answers_only = _answers_only(events)
    strict = strict and not answers_only
    open_at: dict[int, list[int]] = {}
    others: Counter[str] = Counter()
    processes = _Processes(events)
    at_ns = -1
    for number, event in enumerate(events):
        kind = _kind(event, number, line)
        time = event.get("time")
        at_ns = max(at_ns + 1, time) if type(time) is int and 0 <= time < _PROCESS_MOST else at_ns + 1
        try:
            process = processes.number(event.get("process"))
        except MalformedHistory as error:
            raise MalformedHistory(str(error), line(number)) from None
        if process is None:
            others[str(event["process"])] += 1
            continue
        opened = open_at.setdefault(process, [])
        if kind == "invoke":
            if opened and strict:
                raise MalformedHistory(
                    f"process {event.get('process')} begins an operation while another of its is open", line(number)
                )
            opened.append(rows.begin(process, event, at_ns))
            continue
        row = next((row for row in opened if strict or _answers(rows, row, event)), None)
        if row is not None:
            opened.remove(row)
        elif strict:
            raise MalformedHistory(
                f"an operation of process {event.get('process')} ends that never began", line(number)
            )
        else:
            row = rows.begin(process, event, at_ns)
        rows.end(row, event, at_ns)
    notes = [f"{count} events of {name} are not operations" for name, count in sorted(others.items())]
    if answers_only:
        notes.append("it holds no invocations: every operation is taken to begin when it ended")
    pairs = _all_pairs(rows)
    # Beside writes of pairs alone, a compare-and-set of a scalar to a pair could never succeed: [k [old new]] says it.
    if rows.independent or (pairs and "cas" in rows.f):
        _lift(rows, pairs)
    elif pairs:
        notes.append(_PAIRS)
    return _history(rows), tuple(notes)


def _answers_only(events: Sequence[Any]) -> bool:
    """Whether these are ends of sends and polls alone: logs are judged by what was answered, not by when it began."""
    maps = [event for event in events if isinstance(event, Mapping)]
    return bool(maps) and all(event.get("type") != "invoke" and event.get("f") in (*DATA, *TAKES) for event in maps)


class _Processes:
    """Numbers of clients' processes: those with a whole number keep it, the others get what is free above."""

    def __init__(self, events: Sequence[Any]) -> None:
        given = (event.get("process") for event in events if isinstance(event, Mapping))
        self._free = max((one for one in given if type(one) is int and one < _PROCESS_MOST), default=-1) + 1
        self._named: dict[Any, int] = {}

    def number(self, process: Any) -> int | None:
        """The number of a client's process; None for what is no client, a nemesis."""
        if type(process) is int and abs(process) < _PROCESS_MOST:
            return process
        if process == _NEMESIS or (isinstance(process, list) and process == [_NEMESIS]):
            return None
        if isinstance(process, bool) or not isinstance(process, (str, int, type(None))):
            raise MalformedHistory(f"a process is a number or a name, not {str(process)[:40]}")
        if process not in self._named:
            self._named[process] = self._free
            self._free += 1
        return self._named[process]


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
        history = History.from_columns({**columns, "value": rows.asked, "result": rows.got})
        if not rows.moved:
            return history
        moved = pa.array([rows.moved.get(row) for row in range(len(rows.f))], pa.list_(pa.string()))
        return History(history.table.append_column(REBALANCED, moved))
    done = [got if got is not None else asked for asked, got in zip(rows.asked, rows.got, strict=True)]
    return with_transactions(History.from_columns(columns), column([mops or [] for mops in done]))


def _transactional(rows: _Rows) -> bool:
    said = [value for value in (*rows.asked, *rows.got) if value is not None]
    return any(said) and all(isinstance(value, list) and all(is_mop(mop) for mop in value) for value in said)


def _all_pairs(rows: _Rows) -> bool:
    """Whether every value could be a key and a value, and no operation names its key beside it.

    A compare-and-set's ``[old new]`` is a pair too; with a key it is ``[k [old new]]``.
    """
    said = [pair for pair in zip((*rows.f, *rows.f), (*rows.asked, *rows.got), strict=True) if pair[1] is not None]
    keyless = all(key is None for key in rows.key)
    return bool(said) and keyless and all(_is_pair(f, value) for f, value in said)


def _is_pair(f: str | None, value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 2 or is_mop(value):
        return False
    return not isinstance(value[0], (list, dict)) and (f != "cas" or isinstance(value[1], list))


def _lift(rows: _Rows, pairs: bool) -> None:
    """Undo Jepsen's lifting: ``[k v]`` values become a key and a value."""
    if not pairs:
        raise MalformedHistory("independent histories have a key and a value, [k v], in every operation")
    for row, (asked, got) in enumerate(zip(rows.asked, rows.got, strict=True)):
        pair = asked if asked is not None else got
        if pair is None:
            continue
        if asked is not None and got is not None and token_of(asked[0]) != token_of(got[0]):
            raise MalformedHistory(f"operation {row} asks for key {asked[0]} and answers for key {got[0]}")
        rows.key[row] = pair[0]
        rows.asked[row] = None if asked is None else asked[1]
        rows.got[row] = None if got is None else got[1]
