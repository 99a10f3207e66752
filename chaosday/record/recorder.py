"""The crash-safe writer of a history: what clients record while the system under test is being hurt.

One append-only file a client under ``RUN/history/``, two lines an operation::

    {"invoke":7,"f":"write","key":3,"value":41,"at_ns":...}
    {"end":7,"status":"ok","result":null,"error":null,"at_ns":...}

Each line is one unbuffered write: when the client is killed nothing that it recorded is lost, only
the line being written can be torn. ``seal`` makes the columnar history out of the files.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from chaosday.clock import Clock, SystemClock
from chaosday.errors import EvidenceMissing, MalformedHistory, UsageError
from chaosday.model.history import STATUSES, UNKNOWN, History

_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
# History column -> field of the recorded line.
_INVOKED = {"f": "f", "key": "key", "value": "value", "start_ns": "at_ns"}
_ENDED = {"status": "status", "result": "result", "error": "error", "end_ns": "at_ns"}
_NAME = re.compile(r"client-(\d+)(?:\.\d+)?\.jsonl")


class Recorder:
    """Records the operations of one client; a client is one thread with one operation open at a time.

    ``directory`` is made if it is missing. Every Recorder has a file of its own, so that a client
    that is started again never writes behind the torn line of the one before.
    """

    def __init__(self, directory: Path, process: int, *, clock: Clock | None = None) -> None:
        if process < 0:
            raise UsageError(f"a process is a number from 0, not {process}")
        directory.mkdir(parents=True, exist_ok=True)
        self._now = (clock or SystemClock()).monotonic_ns
        self._next = 0
        self._size = 0
        self._fd, self.path = _create(directory, process)

    def invoke(self, f: str, key: Any = None, value: Any = None) -> int:
        """Record that ``f`` is about to be asked; gives the number to ``end`` it with.

        ``key`` and ``value`` are anything JSON can hold. Call it right before the request is sent.
        """
        index = self._next
        self._write({"invoke": index, "f": f, "key": key, "value": value, "at_ns": self._now()})
        self._next = index + 1
        return index

    def end(self, index: int, status: str, result: Any = None, error: str | None = None) -> None:
        """Record how operation ``index`` ended: ``ok``, ``failed`` (provably no effect) or ``unknown``."""
        at_ns = self._now()
        if status not in STATUSES:
            raise UsageError(f"an operation ends {', '.join(STATUSES)}, not {status!r}")
        self._write({"end": index, "status": status, "result": result, "error": error, "at_ns": at_ns})

    def close(self) -> None:
        """Make what was recorded durable and let go of the file; any number of times."""
        if self._fd >= 0:
            os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, event: dict[str, Any]) -> None:
        line = orjson.dumps(event, option=_OPTIONS)
        written = os.write(self._fd, line)
        if written != len(line):
            # A full disk takes half a line; what is recorded after it must not continue that half.
            os.ftruncate(self._fd, self._size)
            raise OSError(f"only {written} of {len(line)} bytes could be recorded in {self.path}")
        self._size += written


def seal(directory: Path, path: Path | None = None) -> History:
    """Read every client's file, pair the events, and write the history as Parquet.

    ``path`` is where to, by default ``RUN/history.parquet`` for ``RUN/history``. Operations are
    numbered in order of invocation; one that never ended is ``unknown``. After an operation that is
    ``unknown`` a client goes on as a new process (old number + number of clients), because the old
    one still has that operation open. Raises ``EvidenceMissing`` where nobody recorded, and
    ``MalformedHistory`` with the line for a file that no Recorder wrote.
    """
    files = sorted(file for file in directory.glob("*.jsonl") if _NAME.fullmatch(file.name))
    if not files:
        raise EvidenceMissing(f"{directory} holds no recorded operations: no client ever started")
    columns: dict[str, list[Any]] = {name: [] for name in ("process", *_INVOKED, *_ENDED)}
    with collector_off():
        for file in files:
            _read(file, columns)
        history = _ordered(columns)
    history.write(path or directory.with_suffix(".parquet"))
    return history


@contextmanager
def collector_off() -> Iterator[None]:
    """Millions of small lists make the cyclic collector run all the time for nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _create(directory: Path, process: int) -> tuple[int, Path]:
    for attempt in range(10_000):
        path = directory / (f"client-{process}.{attempt}.jsonl" if attempt else f"client-{process}.jsonl")
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644), path
        except FileExistsError:
            continue
    raise UsageError(f"client {process} was started 10,000 times in {directory}: give it a new directory")


def _read(file: Path, columns: dict[str, list[Any]]) -> None:
    name = _NAME.fullmatch(file.name)
    assert name is not None
    lines = file.read_bytes().split(b"\n")
    lines.pop()  # empty, or the line that was being written when the client died
    try:
        events = orjson.loads(b"[" + b",".join(lines) + b"]")
        invoked = [event for event in events if "invoke" in event]
        ended = [event for event in events if "end" in event]
        row_of = _pair(events, invoked, ended)
        ends: dict[str, list[Any]] = {column: [None] * len(invoked) for column in _ENDED}
        for column, field in _ENDED.items():
            values = [event[field] for event in ended]
            target = ends[column]
            for row, value in zip(row_of, values, strict=True):
                target[row] = value
        for column, field in _INVOKED.items():
            columns[column] += [event[field] for event in invoked]
        for column, values in ends.items():
            columns[column] += values
        columns["process"] += [int(name[1])] * len(invoked)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise _blame(file, lines) from None


def _pair(events: list[Any], invoked: list[Any], ended: list[Any]) -> list[int]:
    """The row of the invocation that each end belongs to; a ``ValueError`` where there is none."""
    rows = [event["end"] for event in ended]
    numbers = [event["invoke"] for event in invoked]
    if len(events) != len(invoked) + len(ended) or numbers != list(range(len(invoked))):
        raise ValueError("not one event a line, numbered from 0")
    if len(set(rows)) != len(rows) or not all(0 <= row < len(invoked) for row in rows):
        raise ValueError("an end without a start")
    return rows


def _blame(file: Path, lines: list[bytes]) -> MalformedHistory:
    """The first line of ``file`` that no Recorder wrote, and why."""
    begun, open_now = 0, set()
    for number, line in enumerate(lines, 1):
        try:
            event = orjson.loads(line)
            if "invoke" in event:
                if event["invoke"] != begun:
                    raise ValueError(f"operation {event['invoke']} where {begun} comes next")
                _ = [event[field] for field in _INVOKED.values()]
                open_now.add(begun)
                begun += 1
            else:
                if event["end"] not in open_now:
                    raise ValueError(f"operation {event['end']} ends, but is not open")
                _ = [event[field] for field in _ENDED.values()]
                open_now.remove(event["end"])
        except (KeyError, TypeError, ValueError) as error:
            return MalformedHistory(f"{file.name} is not what a client records: {error}", number)
    return MalformedHistory(f"{file.name} is not what a client records")


def _ordered(columns: dict[str, list[Any]]) -> History:
    process = np.array(columns["process"], dtype=np.int64)
    start = np.array(columns["start_ns"], dtype=np.int64)
    status = columns["status"]
    unsure = np.fromiter((word is None or word == STATUSES[UNKNOWN] for word in status), bool, len(status))
    order = np.argsort(start, kind="stable")
    clients = int(process.max(initial=-1)) + 1
    named = process + clients * _unknown_before(process[order], unsure[order], order)
    sequence = order.tolist()
    arranged: dict[str, Any] = {
        name: [column[row] for row in sequence] for name, column in columns.items() if name != "process"
    }
    return History.from_columns({**arranged, "process": named[order]})


def _unknown_before(
    process: NDArray[np.int64], unsure: NDArray[np.bool_], order: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How many operations of the same client ended unknown earlier, in the rows' own order."""
    by_client = np.lexsort((np.arange(len(process)), process))
    running: NDArray[np.int64] = np.cumsum(unsure[by_client]) - unsure[by_client]
    first = np.flatnonzero(np.diff(process[by_client], prepend=-1))
    sizes = np.diff(np.append(first, len(process)))
    counts = np.empty(len(process), dtype=np.int64)
    counts[order[by_client]] = running - np.repeat(running[first], sizes)
    return counts
