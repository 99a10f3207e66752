"""What the corruptions of a stream's sink need: what its looks showed of each row, and looks that show something else.

Damage is planted in rows of which it is certain what they have to be in the end: their last change was acknowledged,
its writer's last mark, which the last look shows, was set after it, and the last look shows that change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np

from chaosday.clients.changes import DELETE, LOOK, MARK, PUT, State, writer_of
from chaosday.model.corruption import Corruption, NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import FAILED, OK, History, to_json
from chaosday.planting.planting import pick, with_cells

Shown = list[State]
Line = list[tuple[int, Shown]]
"""From which look on a row is shown how; nothing where it is not there."""


class Settled:
    """A row that is certain: what it was after each of its changes, and how the looks showed it."""

    def __init__(self, row: int, states: list[State | None], line: Line) -> None:
        self.row, self.states, self.line = row, states, line


class Stream:
    """A history's changes and the looks of the first of its sinks."""

    def __init__(self, history: History) -> None:
        self.history = history
        f = history.table["f"].to_pylist()
        self._keys, values, results = (history.values(name) for name in ("key", "value", "result"))
        statuses = history.statuses()
        # Whoever keeps objects puts and looks too, and what that saw is no table.
        sinks = [
            self._keys[at]
            for at, word in enumerate(f)
            if word == LOOK and statuses[at] == OK and isinstance(results[at], dict) and "marks" in results[at]
        ]
        if not sinks:
            raise NotApplicable("nobody looked at the sink of a stream")
        self.at = [n for n, word in enumerate(f) if word == LOOK and statuses[n] == OK and self._keys[n] == sinks[0]]
        self.looks: list[dict[str, Any]] = [results[place] for place in self.at]
        self._changes: dict[int, list[tuple[int, State | None, bool]]] = {}
        self._marks: dict[tuple[int, int], int] = {}
        for place, word in enumerate(f):
            if word in (PUT, DELETE) and statuses[place] != FAILED:
                state = tuple(values[place]) if word == PUT else None
                told = (place, state, bool(statuses[place] == OK))
                self._changes.setdefault(self._keys[place], []).append(told)
            elif word == MARK:
                self._marks[self._keys[place], values[place]] = place

    def lines(self) -> dict[int, Line]:
        """How the looks showed each row."""
        found: dict[int, Line] = {}
        for number, look in enumerate(self.looks):
            put: dict[int, Shown] = {}
            for row, *state in look["put"]:
                put.setdefault(row, []).append(tuple(state))
            for row, states in [*put.items(), *((row, []) for row in look["gone"])]:
                found.setdefault(row, []).append((number, states))
        return found

    def settled(self) -> list[Settled]:
        """The rows that are certain, by number."""
        last, lines = self.looks[-1]["marks"], self.lines()
        certain = []
        for row, told in sorted(self._changes.items()):
            place, state, acknowledged = told[-1]
            marked = self._marks.get((writer_of(row), last.get(str(writer_of(row)))), -1)
            line = lines.get(row, [])
            shown = line[-1][1] if line else []
            if acknowledged and place < marked and shown == ([] if state is None else [state]):
                certain.append(Settled(row, [each for _, each, _ in told], line))
        return certain

    def with_lines(self, lines: dict[int, Line]) -> History:
        """The history whose looks show these rows in this way."""
        shown: dict[int, dict[int, Shown]] = {}
        for row, line in lines.items():
            for number, states in line:
                shown.setdefault(number, {})[row] = states
        touched, changed = {number for line in self._of(lines) for number, _ in line} | shown.keys(), {}
        for number in touched:
            look, now = self.looks[number], shown.get(number, {})
            put = [each for each in look["put"] if each[0] not in lines]
            gone = [row for row in look["gone"] if row not in lines]
            put += [[row, *state] for row, states in sorted(now.items()) for state in states]
            gone += [row for row, states in now.items() if not states]
            changed[number] = look | {"put": put, "gone": sorted(gone)}
        at = [self.at[number] for number in sorted(changed)]
        answers = [to_json(changed[number]) for number in sorted(changed)]
        return History(with_cells(self.history.table, "result", at, answers))

    def _of(self, rows: Iterable[int]) -> list[Line]:
        lines = self.lines()
        return [lines.get(row, []) for row in rows]


class StreamCorruption(Corruption):
    """Damage to what the sink of a stream was seen to hold. Damaged keys are rows."""

    stores: ClassVar[tuple[str, ...]] = ("stream",)
    lacking: ClassVar[str] = "rows that are certain"

    def changed(self, row: Settled) -> Line | None:
        """How the looks show the row then; None where it cannot be damaged in this way."""
        raise NotImplementedError

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        if not evidence.has("history"):
            raise NotApplicable("there is no history")
        stream = Stream(evidence.history())
        lines = {row.row: line for row in stream.settled() if (line := self.changed(row)) is not None}
        rows = sorted(lines)
        chosen = [rows[at] for at in pick(rng, len(rows), size, self.lacking)]
        damaged = stream.with_lines({row: lines[row] for row in chosen})
        return Planted(evidence.replaced(history=damaged), frozenset(chosen))


def ending(row: Settled, change: Callable[[State], Shown]) -> Line | None:
    """The row's line with the state at its end shown otherwise; None where it is not there in the end."""
    if not row.line or not row.line[-1][1]:
        return None
    look, states = row.line[-1]
    return [*row.line[:-1], (look, change(states[0]))]
