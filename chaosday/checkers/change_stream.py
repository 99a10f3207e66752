"""A stream of changes at its sink: what is at or below a mark has to be there, what is above it is in flight.

Rows are judged one by one: between two looks that show it otherwise a row stands still at the sink, and the highest
mark of its writer in that time says which of its changes had to be there by then. Only changes that were acknowledged
are demanded; one whose answer was lost, the last of its row, may be there or not. A row never goes back, also above
the mark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chaosday.checkers.base import ResultMap, result_map
from chaosday.clients.changes import ALTER, DELETE, LOOK, MARK, PUT, State, writer_of
from chaosday.errors import MalformedHistory
from chaosday.model.history import FAILED, OK, History

States = tuple[State, ...]
ABSENT: States = ()


@dataclass
class Told:
    """What the writers were told: the changes of each row in order, and where their marks are."""

    at: dict[int, list[int]] = field(default_factory=dict)
    """Of each row: the place of every change in the history that may have happened, ascending."""
    states: dict[int, list[State | None]] = field(default_factory=dict)
    """Beside it what the row was then; None for deleted."""
    certain: dict[int, list[bool]] = field(default_factory=dict)
    marks: dict[int, dict[int, int]] = field(default_factory=dict)
    """Of each writer: the place of each of its marks in the history."""

    def last_mark(self, writer: int) -> int:
        """The last mark that it was told to set; 0 where there is none."""
        return max(self.marks.get(writer, {}), default=0)


@dataclass
class Seen:
    """What one sink showed: the marks at each look, and each row's states from the look on at which they appeared."""

    looks: int = 0
    ended: bool = False
    marks: dict[int, list[int]] = field(default_factory=dict)
    rows: dict[int, list[tuple[int, States]]] = field(default_factory=dict)
    places: list[int] = field(default_factory=list)
    """The look's place in the history."""


def check_stream(history: History, *, replays: bool = False) -> ResultMap:
    """The result map. ``replays``: the sink may go back to an older mark, and come again."""
    told, sinks = read(history)
    found: dict[str, list[dict[str, Any]]] = {}
    demanded, in_flight, unsure = 0, 0, []
    for sink, seen in sorted(sinks.items()):
        marks = {writer: np.array(each, dtype=np.int64) for writer, each in seen.marks.items()}
        for row in sorted(told.at.keys() | seen.rows.keys()):
            judge = _Row(told, seen, marks.get(writer_of(row)), row, replays)
            for name, look, words in judge.anomalies():
                case = {"key": row, "words": f"{sink}: {words}", "operations": judge.operations(look)}
                found.setdefault(name, []).append(case)
            demanded += judge.demanded
            in_flight += judge.in_flight
        if not replays:
            found.setdefault("rewound", []).extend(_rewound(sink, seen, marks))
        unsure += _not_reached(sink, seen, told)
    if told.at and not sinks:
        unsure.append("nobody looked at the sink")
    return result_map(found, examined=demanded, unsure=unsure, **{"in-flight": in_flight, "looks": _looks(sinks)})


def read(history: History) -> tuple[Told, dict[str, Seen]]:
    """The changes and the looks of a history."""
    told, sinks = Told(), dict[str, Seen]()
    words = history.table["f"].to_pylist()
    keys, values, results = (history.values(name) for name in ("key", "value", "result"))
    statuses = history.statuses().tolist()
    for place, (f, key, status) in enumerate(zip(words, keys, statuses, strict=True)):
        try:
            if f == LOOK:
                if status == OK:
                    _look(sinks.setdefault(str(key), Seen()), results[place], place)
                else:
                    sinks.setdefault(str(key), Seen())
            elif f == MARK:
                told.marks.setdefault(int(key), {})[int(values[place])] = place
            elif f in (PUT, DELETE) and status != FAILED:
                state = tuple(values[place]) if f == PUT else None
                told.at.setdefault(int(key), []).append(place)
                told.states.setdefault(int(key), []).append(state)
                told.certain.setdefault(int(key), []).append(status == OK)
        except (TypeError, ValueError, KeyError, AttributeError):
            raise MalformedHistory(f"operation {place}, {f}, is not recorded as the workload 'changes' does") from None
    return told, sinks


def _look(seen: Seen, result: Mapping[str, Any], place: int) -> None:
    at = seen.looks
    for writer, mark in result["marks"].items():
        listed = seen.marks.setdefault(int(writer), [])
        # A writer whose mark was not there yet had none; one whose mark has gone has gone back to none.
        listed += [0] * (at - len(listed)) + [int(mark)]
    put: dict[int, list[State]] = {}
    for row, version, value, extra in result["put"]:
        put.setdefault(int(row), []).append((version, value, extra))
    for row, states in put.items():
        seen.rows.setdefault(row, []).append((at, tuple(states)))
    for row in result["gone"]:
        seen.rows.setdefault(int(row), []).append((at, ABSENT))
    seen.looks += 1
    seen.ended = bool(result["ended"])
    seen.places.append(place)
    for known in seen.marks.values():
        known.extend([0] * (seen.looks - len(known)))


class _Row:
    """One row at one sink."""

    def __init__(self, told: Told, seen: Seen, marks: NDArray[np.int64] | None, row: int, replays: bool) -> None:
        self.row, self.seen, self.marks, self.replays = row, seen, marks, replays
        self.demanded = self.in_flight = 0
        self._at = np.array(told.at.get(row, []), dtype=np.int64)
        self._states = told.states.get(row, [])
        self._certain = told.certain.get(row, [])
        self._marked = told.marks.get(writer_of(row), {})

    def operations(self, look: int) -> list[int]:
        """The look, and the last change of the row before it."""
        place = self.seen.places[look]
        return [*self._at[self._at < place][-1:].tolist(), place]

    def anomalies(self) -> Iterator[tuple[str, int, str]]:
        """Name, look and words of each thing that is wrong, each name once."""
        named: set[str] = set()
        before, mark_before = -1, 0
        for first, end, states in self._stretches():
            due, mark = self._due(first, end)
            at = self._place_of(states, max(before, due))
            name, words = self._wrong(states, at, due, before, mark, rewound=mark < mark_before)
            self.demanded = max(self.demanded, due + 1)
            if name and name not in named:
                named.add(name)
                yield name, end - 1 if name in ("missing", "stale", "resurrected") else first, words
            before, mark_before = max(at, -1) if at is not None else before, mark
        self.in_flight = len(self._states) - self.demanded

    def _stretches(self) -> Iterator[tuple[int, int, States]]:
        """From which look up to which the row was there in these states."""
        shown = self.seen.rows.get(self.row, [])
        starts = [(0, ABSENT), *shown] if not shown or shown[0][0] else shown
        for (first, states), end in zip(starts, [at for at, _ in starts[1:]] + [self.seen.looks], strict=True):
            if first < end:
                yield first, end, states

    def _due(self, first: int, end: int) -> tuple[int, int]:
        """The last acknowledged change at or below the highest mark of these looks, -1 for none; and that mark."""
        if self.marks is None:
            return -1, 0
        mark = int(self.marks[first:end].max())
        place = self._marked.get(mark, -1)
        below = int(np.searchsorted(self._at, place))
        return next((n for n in range(below - 1, -1, -1) if self._certain[n]), -1), mark

    def _place_of(self, states: States, least: int) -> int | None:
        """Which of its changes the row shows: the first one from ``least`` on, or else the last before; -1 before all.

        None where it is none of them.
        """
        state = states[0] if states else None
        places = [n for n, each in enumerate(self._states) if each == state]
        if state is None:
            places = [-1, *places]
        later = [n for n in places if n >= least]
        return later[0] if later else places[-1] if places else None

    def _wrong(
        self, states: States, at: int | None, due: int, before: int, mark: int, *, rewound: bool
    ) -> tuple[str, str]:
        if len(states) > 1:
            return "duplicate", f"row {self.row} is there {len(states)} times at mark {mark}"
        shown = f"version {states[0][0]}" if states else "not there"
        if at is None:
            return self._unwritten(states[0], shown)
        if at < due:
            wanted = self._states[due]
            words = f"row {self.row} is {shown} at mark {mark}, which demands {_words(wanted)}"
            return "missing" if not states else "resurrected" if wanted is None else "stale", words
        if at < before and not (rewound and self.replays):
            return "reordered", f"row {self.row} is {shown}, and was {_words(self._states[before])} before"
        return "", ""

    def _unwritten(self, state: State, shown: str) -> tuple[str, str]:
        version, value, extra = state
        if extra is None and any(each and each[:2] == (version, value) for each in self._states):
            return "column-lost", f"row {self.row}, {shown}, is without the column that was added"
        return "unwritten", f"row {self.row}, {shown}, holds what nobody wrote"


def _words(state: State | None) -> str:
    return "none" if state is None else f"version {state[0]}"


def _rewound(sink: str, seen: Seen, marks: Mapping[int, NDArray[np.int64]]) -> Iterator[dict[str, Any]]:
    for writer, each in marks.items():
        back = np.flatnonzero(np.diff(each) < 0)
        if len(back):
            look = int(back[0]) + 1
            words = f"{sink}: the mark of writer {writer} went back from {each[look - 1]} to {each[look]}"
            yield {"key": f"writer {writer}", "words": words, "operations": [seen.places[look]]}


def _not_reached(sink: str, seen: Seen, told: Told) -> list[str]:
    """Where the sink stands below the last marks: whatever is above was never seen, which is no equality."""
    if not seen.looks:
        return [f"{sink} was never read"]
    if seen.ended:
        return []
    stands = {writer: (seen.marks.get(writer) or [0])[-1] for writer in told.marks}
    behind = [f"{told.last_mark(w)} of writer {w} (it is at {at})" for w, at in sorted(stands.items())
              if at < told.last_mark(w)]  # fmt: skip
    if not behind:
        return [f"{sink}: the writers never said that they had ended"]
    more = f" and {len(behind) - 3} more" if len(behind) > 3 else ""
    return [f"{sink} never reached mark {', '.join(behind[:3])}{more}: what is above was not seen"]


def _looks(sinks: Mapping[str, Seen]) -> int:
    return sum(seen.looks for seen in sinks.values())


KINDS: Sequence[str] = (PUT, DELETE, MARK, LOOK, ALTER)
