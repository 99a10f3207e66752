"""Failover drills: what a file has to say, what the sides are taken to have done, and what is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chaosday.checks.failover import FailoverCheck
from chaosday.checks.ledger import LedgerCheck
from chaosday.clients.ledger import rows_table
from chaosday.clock import SystemClock
from chaosday.drills.failover.kind import refused_s
from chaosday.drills.failover.sides import Sides
from chaosday.drills.kinds import parse_run
from chaosday.errors import InvalidExperiment
from chaosday.judging.proof import prove
from chaosday.judging.verdict import judge_checks
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Outcome
from chaosday.model.history import History
from chaosday.model.probe import Probe, ProbeReading
from chaosday.model.target import Target
from chaosday.targets.local_host import LocalHost

pytestmark = pytest.mark.kernel

SIDES = [{"kind": "postgresql.takes_writes", "target": "a"}, {"kind": "postgresql.takes_writes", "target": "b"}]
FILE: dict[str, Any] = {
    "kind": "failover",
    "targets": {name: {"kind": "postgresql"} for name in ("a", "b", "service")} | {"cluster": {"kind": "patroni"}},
    "workloads": [{"kind": "ledger", "target": "service"}],
    "actions": [{"kind": "patroni.switchover", "target": "cluster", "undo": "a"}],
    "back": [{"kind": "patroni.switchover", "target": "cluster", "candidate": "a", "undo": "a"}],
    "sides": SIDES,
}


def test_a_whole_file_is_judged_at_both_stations() -> None:
    """By the ledger at the end, at each station, and by what was seen of the sides."""
    checks = parse_run(FILE).judgement().checks
    assert [(each.kind, getattr(each, "as_of", "")) for each in checks] == [
        ("ledger", ""), ("ledger", "away"), ("ledger", "home"), ("failover", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"workloads": [{"kind": "set", "target": "service"}]}, "a ledger is needed"),
        ({"sides": SIDES[:1]}, "two sides at least"),
        ({"sides": [SIDES[0], *SIDES]}, "each once"),
        ({"actions": []}, "say what leads away"),
        ({"back": []}, "say what leads home"),
        ({"back": [{"kind": "patroni.switchover", "target": "clustre", "undo": "a"}]}, "back.0: no target is called"),
        ({"back": [{"kind": "patroni.switchover", "target": "cluster"}]}, r"back\.0: say its undo"),
        ({"back": [{"kind": "patroni.swichover", "target": "cluster"}]}, "did you mean patroni.switchover"),
        ({"sides": [*SIDES[:1], {**SIDES[1], "target": "x"}]}, "sides.1: no target is called 'x'"),
        ({"stay": 1}, "stay: there is no such field"),
    ],
)
def test_what_a_file_lacks_is_said(changed: dict[str, Any], words: str) -> None:
    """In one line, by the field at fault, before anything is reached."""
    with pytest.raises(InvalidExperiment, match=words) as refused:
        parse_run(FILE | changed)
    assert "\n" not in str(refused.value)


class Still(Probe):
    """A side that nobody asks."""

    kind: str = "still"

    def read(self, target: Target) -> ProbeReading:
        return ProbeReading(probe=self.kind, healthy=None)


LOOKS: list[tuple[str, list[tuple[str, int, int, bool | None]], int]] = [
    ("handed over", [("a", 1, 2, True), ("a", 3, 4, False), ("b", 5, 6, True), ("b", 7, 8, True)], 0),
    ("both", [("a", 1, 2, True), ("b", 3, 4, True), ("a", 5, 6, True)], 1),
    ("both, twice", [("a", 1, 2, True), ("b", 3, 4, True), ("a", 5, 6, True), ("b", 7, 8, True)], 2),
    ("side by side, in doubt", [("a", 1, 4, True), ("b", 2, 5, True), ("a", 5, 6, True)], 0),
    ("closed in between", [("a", 1, 2, True), ("b", 3, 4, True), ("a", 5, 6, False), ("a", 7, 8, True)], 0),
    ("silent in between", [("a", 1, 2, True), ("b", 3, 4, True), ("a", 5, 6, None), ("a", 7, 8, True)], 0),
    ("opened after it", [("b", 1, 2, True), ("a", 3, 4, True), ("a", 5, 6, True)], 0),
]


@pytest.mark.parametrize(("looks", "splits"), [each[1:] for each in LOOKS], ids=[each[0] for each in LOOKS])
def test_two_sides_take_writes_at_once_where_one_did_before_and_after(
    looks: list[tuple[str, int, int, bool | None]], splits: int
) -> None:
    """Only where both writes around the other's are surely of one time in which it was open."""
    targets: dict[str, Target] = {"a": LocalHost(), "b": LocalHost()}
    sides = Sides([Still(target="a"), Still(target="b")], targets, SystemClock(), every_s=3600)
    sides.stop()
    for name, asked, ended, healthy in looks:
        sides.note(name, asked, ended, healthy)
    said = sides.said()
    assert said["splits"] == splits
    assert all(each["sides"] == ["a", "b"] for each in said["split"])


def test_the_longest_time_without_an_acknowledgement_is_within_its_bounds() -> None:
    """Failures acknowledge nothing; before the first and after the last there is time as well."""
    ends = [(1, "ok"), (2, "ok"), (4, "failed"), (6, "ok"), (20, "ok")]
    rows = [
        {"index": n, "process": 0, "f": "insert", "key": n, "value": 1, "status": status, "error": None}
        | {"start_ns": end * 10**9 - 5, "end_ns": end * 10**9}
        for n, (end, status) in enumerate(ends)
    ]
    history = History.from_rows(rows)
    for from_s, to_s, longest_s in [(0, 7, 4), (2, 6, 4), (7, 12, 5), (5, 21, 14), (3, 3, 0)]:
        assert refused_s(history, from_s * 10**9, to_s * 10**9) == longest_s


def station(name: str, **changed: Any) -> dict[str, Any]:
    made = {"name": name, "cut_ns": 100, "left": "a", "meant": "a" if name == "home" else "", "rows": 1, "silent": []}
    return made | {"open": ["a" if name == "home" else "b"]} | changed


SAID: dict[str, Any] = {
    "stations": [station("away"), station("home")], "ways": ["away", "home"], "split": [], "splits": 0,
    "sides": {"a": {"answered": 5}, "b": {"answered": 5}}, "refused_s": {"away": 2.0, "home": 1.0},
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "outcome", "words"),
    [
        ({}, Outcome.PASS, ""),
        ({"split": [{"sides": ["a", "b"], "at_ns": 1}], "splits": 1}, Outcome.VIOLATED, "split-brain"),
        ({"refused_s": {"away": 61.0, "home": 1}}, Outcome.VIOLATED, "refused-too-long"),
        ({"stations": [station("away", open=["a"]), station("home")]}, Outcome.VIOLATED, "did-not-move"),
        ({"stations": [station("away", open=["a", "b"]), station("home")]}, Outcome.VIOLATED, "did-not-move"),
        ({"stations": [station("away"), station("home", open=["b"])]}, Outcome.VIOLATED, "did-not-move"),
        ({"stations": [station("away"), station("home", open=[])]}, Outcome.VIOLATED, "did-not-move"),
        ({"stations": [station("away")]}, Outcome.INCONCLUSIVE, "did not come to its station home"),
        ({"stations": [station("away", silent=["b"]), station("home")]}, Outcome.INCONCLUSIVE, "gave no answer"),
        ({"sides": {}}, Outcome.INCONCLUSIVE, "nothing was examined"),
    ],
)
def test_what_was_seen_is_judged(changed: dict[str, Any], outcome: Outcome, words: str, tmp_path: Path) -> None:
    """Moved, back, and nothing at once; each other way with its name."""
    evidence = Evidence(tmp_path).replaced(observations={"failover": SAID | changed})
    (finding,) = judge_checks([FailoverCheck()], evidence)
    assert finding.outcome is outcome
    assert words in " ".join([*finding.reasons, *(each.name for each in finding.anomalies)])


def test_two_sides_are_seen_where_they_are_planted(tmp_path: Path) -> None:
    """The check is proven on the evidence of its own run; on sound evidence it is silent, also after a real split."""
    for split in ({}, {"split": [{"sides": ["a", "b"], "at_ns": 1}], "splits": 1}):
        evidence = Evidence(tmp_path).replaced(observations={"failover": SAID | split})
        matrix = prove(evidence, [FailoverCheck()])
        (planted,) = [each for each in matrix.classes if each.corruption == "failover_report"]
        assert planted.planted == planted.caught > 0
        assert matrix.controls[0].silent is True and matrix.controls[0].same_on_copy


def test_a_station_owes_what_was_acknowledged_before_it_was_read(tmp_path: Path) -> None:
    """A row that is missing there is lost, though it was there in the end; one of later may be there or not."""
    ends = {1: 50, 2: 90, 3: 110}
    rows = [
        {"index": n, "process": 0, "f": "insert", "key": key, "value": 7, "result": 1, "status": "ok", "error": None}
        | {"start_ns": end - 5, "end_ns": end}
        for n, (key, end) in enumerate(ends.items())
    ]
    for there, outcome in [([1, 2], Outcome.PASS), ([1, 2, 3], Outcome.PASS), ([1, 3], Outcome.VIOLATED)]:
        held = rows_table({"id": there, "version": [1] * len(there), "value": [7] * len(there)})
        evidence = Evidence(tmp_path).replaced(
            history=History.from_rows(rows), rows={"away": held}, observations={"failover": SAID}
        )
        checks = [LedgerCheck(store="away", as_of="away"), LedgerCheck(store="away", as_of="nowhere")]
        finding, unknown = judge_checks(checks, evidence)
        assert finding.outcome is outcome
        assert unknown.outcome is Outcome.INCONCLUSIVE
