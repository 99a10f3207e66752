"""Damage to what arrives at the sink of a stream of changes is what the check of it is there to see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chaosday.checks.change_stream import ChangeStream
from chaosday.clients import changes
from chaosday.errors import MalformedHistory
from chaosday.judging.proof import all_corruptions, sight_of
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Finding, Outcome
from chaosday.model.history import History
from tests.judging import planting
from tests.judging.proving import prove

pytestmark = pytest.mark.kernel

CLASSES = {
    "stream_column_lost": "column-lost",
    "stream_delete_undone": "resurrected",
    "stream_row_doubled": "duplicate",
    "stream_row_mangled": "unwritten",
    "stream_row_missing": "missing",
    "stream_row_reordered": "reordered",
    "stream_row_stale": "stale",
}
Row = dict[str, Any]


class Streamed:
    """Two writers and a sink that lags: what they did as a history, one operation after the other."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.log: list[tuple[str, int, Any]] = []
        self.applied = 0
        self.sink: dict[int, tuple[Any, ...]] = {}
        self.marks: dict[int, tuple[int, int]] = {}
        self._before: changes.Rows = {}

    def told(self, f: str, key: Any, value: Any, *, process: int = 0, status: str = "ok", result: Any = None) -> None:
        at = 10 * len(self.rows)
        self.rows.append(
            {"f": f, "key": key, "value": value, "result": result, "process": process, "status": status}
            | {"start_ns": at, "end_ns": at + 5}
        )
        if status == "ok" and f != changes.LOOK:
            self.log.append((f, key, value))

    def apply(self, count: int) -> None:
        for f, key, value in self.log[self.applied : self.applied + count]:
            if f == changes.PUT:
                self.sink[key] = tuple(value)
            elif f == changes.DELETE:
                self.sink.pop(key, None)
            else:
                self.marks[key] = (value, 0)
        self.applied = min(len(self.log), self.applied + count)

    def look(self, *, ended: bool = False, doubled: int | None = None) -> None:
        copies = [(row, *state) for row, state in self.sink.items()]
        copies += [(row, *state) for row, state in self.sink.items() if row == doubled]
        now = changes.held(copies)
        marks = [(writer, mark, 2, int(ended)) for writer, (mark, _) in self.marks.items()]
        said = changes.look_of(self._before, now, marks)
        self._before = now
        self.told(changes.LOOK, "sink", None, process=changes.SINK_PROCESS, result=said)

    def evidence(self) -> Evidence:
        return Evidence(planting.NOWHERE).replaced(history=History.from_rows(self.rows))

    def found(self, **options: Any) -> Finding:
        return ChangeStream(**options).judge(self.evidence())

    def named(self, **options: Any) -> dict[str, list[int | str]]:
        return {anomaly.name: anomaly.keys for anomaly in self.found(**options).anomalies}


def streamed(count: int = 900, seed: int = 5) -> Streamed:
    """Rows put, changed, deleted and put again, a column from the middle on, and a sink that is behind till the end."""
    rng, made = np.random.default_rng(seed), Streamed()
    versions: dict[int, int] = {}
    there: set[int] = set()
    mark = [0, 0]
    for n in range(count):
        writer = n % 2
        row = changes.row_of(writer, int(rng.integers(30)))
        versions[row] = versions.get(row, 0) + 1
        if row in there and rng.random() < 0.3:
            made.told(changes.DELETE, row, [versions[row]], process=writer)
            there.discard(row)
        else:
            value = int(rng.integers(1 << 40))
            extra = changes.extra_of(value) if n > count // 2 else None
            made.told(changes.PUT, row, [versions[row], value, extra], process=writer)
            there.add(row)
        if n % 10 > 7:
            mark[writer] += 1
            made.told(changes.MARK, writer, mark[writer], process=writer)
        if n % 7 == 0:
            made.apply(int(rng.integers(9)))
            made.look()
    for writer in (0, 1):
        made.told(changes.MARK, writer, mark[writer] + 1, process=writer)
    made.apply(len(made.log))
    made.look(ended=True)
    return made


def test_every_kind_of_damage_is_seen_and_named() -> None:
    """A sound stream passes; each planted kind is caught, and sight is proven."""
    evidence = streamed().evidence()
    assert ChangeStream().judge(evidence).outcome is Outcome.PASS
    proof = prove(evidence, [ChangeStream()], sizes=[1, 3], repetitions=2, budget_s=600)
    planted = [cell for cell in proof.cells if cell.planted]
    assert {cell.corruption for cell in planted} == CLASSES.keys()
    assert [(cell.corruption, cell.why) for cell in planted if cell.status != "caught"] == []
    assert all(cell.localised for cell in planted)
    assert sight_of(proof).proven, sight_of(proof).reasons


@pytest.mark.parametrize("kind", CLASSES)
def test_damage_goes_by_its_name(kind: str) -> None:
    """The check names what was planted, and the row that it was planted in."""
    corruption = next(each for each in all_corruptions() if each.kind == kind)
    for seed in range(3):
        planted = corruption.plant(streamed(seed=seed).evidence(), 2, np.random.default_rng(seed))
        found = ChangeStream().judge(planted.evidence)
        assert [(anomaly.name, set(anomaly.keys)) for anomaly in found.anomalies] == [(CLASSES[kind], planted.keys)]


def put(made: Streamed, version: int, row: int = 0, status: str = "ok") -> None:
    made.told(changes.PUT, row, [version, 10 * version, None], status=status)


def test_what_is_above_the_mark_is_in_flight() -> None:
    """A row whose change no mark covers yet may be there or not; once the mark is seen it has to be."""
    made = Streamed()
    made.told(changes.MARK, 0, 1)
    put(made, 1)
    made.apply(1)
    made.look(ended=True)
    assert made.found().outcome is Outcome.INCONCLUSIVE, "nothing was at or below the mark"
    made.told(changes.MARK, 0, 2)
    made.apply(2)
    made.sink.clear()
    made.look(ended=True)
    assert made.named() == {"missing": [0]}


@pytest.mark.parametrize("looked", [True, False])
def test_a_mark_that_is_never_reached_is_no_equality(looked: bool) -> None:
    """However well everything before it agrees: inconclusive, with the mark, the writer, and where the sink stands."""
    made = Streamed()
    put(made, 1)
    made.told(changes.MARK, 0, 1)
    made.apply(2)
    if looked:
        made.look()
    put(made, 2)
    made.told(changes.MARK, 0, 2)
    if looked:
        made.look()
    found = made.found()
    assert (found.outcome, found.anomalies) == (Outcome.INCONCLUSIVE, [])
    words = "sink never reached mark 2 of writer 0 (it is at 1)" if looked else "nobody looked at the sink"
    assert words in " ".join(found.reasons)


def test_a_change_without_an_answer_may_be_there_or_not() -> None:
    """Both are sound; that it is there, then is not, is a row that went back."""
    made = Streamed()
    put(made, 1)
    put(made, 2, status="unknown")
    made.told(changes.MARK, 0, 1)
    made.apply(2)
    made.look(ended=True)
    assert made.named() == {}
    made.sink[0] = (2, 20, None)
    made.look(ended=True)
    assert made.named() == {}
    made.sink[0] = (1, 10, None)
    made.look(ended=True)
    assert made.named() == {"reordered": [0]}


def test_a_refused_change_is_nobodys() -> None:
    """What provably had no effect must not arrive."""
    made = Streamed()
    put(made, 1)
    put(made, 2, status="failed")
    made.told(changes.MARK, 0, 1)
    made.apply(2)
    made.sink[0] = (2, 20, None)
    made.look(ended=True)
    assert made.named() == {"unwritten": [0]}


def test_a_sink_that_goes_back_as_a_whole_is_told_unless_that_is_what_it_may() -> None:
    """With ``replays`` an older state under an older mark is no anomaly; under the newer mark it stays one."""
    made = Streamed()
    for version in (1, 2):
        put(made, version)
        made.told(changes.MARK, 0, version)
    made.apply(4)
    made.look()
    newest = made.sink[0], made.marks[0]
    made.sink[0], made.marks[0] = (1, 10, None), (1, 0)
    made.look()
    made.sink[0], made.marks[0] = newest
    made.look(ended=True)
    assert made.named() == {"reordered": [0], "rewound": ["writer 0"]}
    assert made.named(replays=True) == {}
    made.sink[0] = (1, 10, None)
    made.look(ended=True)
    assert made.named(replays=True) == {"stale": [0]}


def test_a_row_that_is_there_twice() -> None:
    """Equal copies are damage as well: a sink without a key that was given a change again."""
    made = Streamed()
    put(made, 1)
    made.told(changes.MARK, 0, 1)
    made.apply(2)
    made.look(ended=True, doubled=0)
    assert made.named() == {"duplicate": [0]}


def test_a_history_of_something_else_is_malformed() -> None:
    """An operation of the same name with another value is one line, and no traceback."""
    made = Streamed()
    made.told(changes.MARK, "x", "y")
    with pytest.raises(MalformedHistory, match="operation 0, mark, is not recorded"):
        made.found()
