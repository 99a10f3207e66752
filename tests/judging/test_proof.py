"""The kill matrix: honest checks are proven, fakes are refused, and what was not done is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest

from chaosday.checks.ledger import LedgerCheck
from chaosday.clients.ledger import sound_rows
from chaosday.clock import ManualClock
from chaosday.corruptions.ledger.row_deleted import RowDeleted
from chaosday.corruptions.ledger.stale_version import StaleVersion
from chaosday.corruptions.ledger.value_flipped import ValueFlipped
from chaosday.judging.proof import all_corruptions, sight_of
from chaosday.judging.sight import KillMatrix
from chaosday.judging.verdict import conclude
from chaosday.model.check import Check
from chaosday.model.corruption import Corruption, Planted
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Anomaly, Finding, Outcome, judged
from tests.judging import planting
from tests.judging.fakes import Alarmist, AlwaysInvalid, AlwaysValid, Crashes, ExaminesNothing, Restless
from tests.judging.proving import prove

FEW = [RowDeleted(), ValueFlipped()]


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return planting.simulated(1_500, seed=4)


@pytest.fixture(scope="module")
def matrix(evidence: Evidence) -> KillMatrix:
    return prove(evidence, [LedgerCheck()], budget_s=60, repetitions=2)


def test_the_ledger_check_sees_every_class_down_to_one_item(matrix: KillMatrix) -> None:
    """Every class that applies is caught at every size, by name, and sound evidence stays silent."""
    applied = [cell for cell in matrix.cells if cell.planted]
    assert len(applied) >= 20
    assert {
        cell.corruption: cell.why for cell in applied if cell.status != "caught" or cell.localised < cell.planted
    } == {}
    assert {cell.smallest_caught for cell in applied if not cell.corruption.startswith("batch_")} <= {1, 2}
    assert sight_of(matrix).proven, sight_of(matrix).reasons


def test_the_same_seed_gives_the_same_matrix(evidence: Evidence, matrix: KillMatrix) -> None:
    """Everything but the time it took follows from the seed."""
    again = prove(evidence, [LedgerCheck()], budget_s=60, repetitions=2)
    timeless = {"seconds": True, "cells": {"__all__": {"seconds"}}}
    assert again.model_dump(exclude=timeless) == matrix.model_dump(exclude=timeless)


@pytest.mark.parametrize(
    ("fake", "words"),
    [
        (AlwaysValid(), "noticed none of"),
        (AlwaysInvalid(), "raises an alarm on sound evidence"),
        (ExaminesNothing(), "nothing was planted that it could have seen"),
        (Restless(), "answers differently about an undamaged copy"),
        (Alarmist(), "raises an alarm on sound evidence"),
        (Crashes(), "examined nothing"),
    ],
)
@pytest.mark.parametrize("beside", [[], [LedgerCheck()]], ids=["alone", "beside an honest check"])
def test_a_fake_check_is_refused(evidence: Evidence, fake: Check, words: str, beside: list[Check]) -> None:
    """A check that cannot see, or always complains, makes the run inconclusive even beside an honest one."""
    proof = prove(evidence, [fake, *beside], corruptions=FEW, sizes=[1], repetitions=2)
    sight = sight_of(proof)
    assert not sight.proven
    assert any(fake.kind in reason and words in reason for reason in sight.reasons), sight.reasons
    verdict = conclude(findings=[], bites=[], faults=0, cleans=[], matrix=proof)
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_damaged_evidence_can_still_be_proven(evidence: Evidence) -> None:
    """In a run that lost rows, further damage is told from what is there, and a sound copy is silent."""
    table = evidence.rows("survivor")
    lossy = evidence.replaced(rows={"survivor": table.slice(0, table.num_rows - 600)})
    assert LedgerCheck().judge(lossy).outcome is Outcome.VIOLATED
    proof = prove(lossy, [LedgerCheck()], repetitions=1, budget_s=60)
    assert [(c.corruption, c.why) for c in proof.cells if c.planted and c.status != "caught"] == []
    assert [control.silent for control in proof.controls] == [True]
    assert sight_of(proof).proven, sight_of(proof).reasons


def test_nothing_of_the_evidence_is_changed(evidence: Evidence) -> None:
    """Planting works on copies: the run's own evidence is the same afterwards."""
    table, history = evidence.rows("survivor"), evidence.history().table
    prove(evidence, [LedgerCheck()], sizes=[1, 10], repetitions=1, budget_s=60)
    assert evidence.rows("survivor").equals(table)
    assert evidence.history().table.equals(history)


@dataclass
class Ticking(ManualClock):
    """Every reading takes a second."""

    def monotonic_ns(self) -> int:
        self.advance(1)
        return self.now_ns


def test_what_the_budget_left_out_is_said(evidence: Evidence) -> None:
    """A budget too short for all plantings names the classes that fell short, and none is claimed."""
    proof = prove(evidence, [LedgerCheck()], sizes=[1], repetitions=4, budget_s=30, clock=Ticking())
    planted = [each for each in proof.classes if each.planted]
    untouched = [each for each in proof.classes if not each.planted and each.left_out]
    assert planted
    assert untouched
    assert all(f"{each.corruption}: " in " ".join(proof.left_out) for each in untouched)
    sight = sight_of(proof)
    assert any(untouched[0].corruption in reason and "budget" in reason for reason in sight.reasons)


class Slow(LedgerCheck):
    """Sees everything and takes an hour."""

    kind: Literal["slow"] = "slow"  # type: ignore[assignment]

    def judge(self, evidence: Evidence) -> Finding:
        HOUR.advance(3_600)
        return super().judge(evidence).model_copy(update={"check": self.kind})


HOUR = ManualClock()


def test_a_slow_check_is_asked_once_a_class_and_nothing_is_held_against_the_others(evidence: Evidence) -> None:
    """What a slow check was not asked about counts as missed by nobody, and is said."""
    checks: list[Check] = [Slow(), OnlyCounts()]
    proof = prove(evidence, checks, corruptions=FEW, sizes=[1], repetitions=3, budget_s=10**5, clock=HOUR)
    slow = [cell for cell in proof.cells if cell.check == "slow"]
    assert [(cell.planted, cell.status) for cell in slow] == [(1, "caught")] * 2
    assert {each.corruption: (each.caught, each.planted) for each in proof.classes} == {
        "row_deleted": (3, 3),
        "value_flipped": (1, 1),
    }
    assert any("slow: not asked about" in line for line in proof.left_out)
    assert sight_of(proof).proven, sight_of(proof).reasons


class Wordless(LedgerCheck):
    """Convicts, and does not say of what."""

    kind: Literal["wordless"] = "wordless"  # type: ignore[assignment]

    def judge(self, evidence: Evidence) -> Finding:
        return super().judge(evidence).model_copy(update={"check": self.kind, "anomalies": []})


def test_a_check_that_convicts_without_naming_anything_has_noticed(evidence: Evidence) -> None:
    """Its outcome is what says that it saw the damage."""
    proof = prove(evidence, [Wordless()], corruptions=FEW, sizes=[1], repetitions=2)
    assert {each.corruption: each.caught for each in proof.classes} == {"row_deleted": 2, "value_flipped": 2}


def test_a_promise_names_the_cell_that_broke_it(evidence: Evidence) -> None:
    """Only promised classes decide; a broken promise names class and check."""
    history = evidence.history()
    no_updates = evidence.replaced(history=history.where(~history.is_f("update")))
    proof = prove(evidence, [OnlyCounts()], corruptions=[RowDeleted(), ValueFlipped()], sizes=[1], repetitions=2)
    assert sight_of(proof, ["row_deleted"]).proven, sight_of(proof, ["row_deleted"]).reasons
    broken = sight_of(proof, ["value_flipped"])
    assert broken.reasons == ["sight: 2 of 2 plantings of value_flipped x only_counts missed"]
    assert "does not apply" in sight_of(proof, ["no_such_class"]).reasons[0]
    barren = prove(no_updates, [LedgerCheck()], corruptions=[StaleVersion()], sizes=[1])
    assert any("could not be planted" in reason for reason in sight_of(barren, ["stale_version"]).reasons)


def test_on_a_damaged_run_damage_is_planted_in_a_sound_copy(evidence: Evidence) -> None:
    """Real damage cannot hide planted damage: with half of the rows lost every class is still caught."""
    rows = evidence.rows("survivor")
    damaged = evidence.replaced(rows={"survivor": rows.slice(0, rows.num_rows // 2)})
    proof = prove(damaged, [LedgerCheck()], sizes=[1, 10], repetitions=1, budget_s=60)
    assert sight_of(proof).proven, sight_of(proof).reasons
    assert len([each for each in proof.classes if each.planted]) >= 15


class OnlyCounts(Check):
    """Counts rows, and is blind to what they hold."""

    kind: Literal["only_counts"] = "only_counts"

    def judge(self, evidence: Evidence) -> Finding:
        ids = set(evidence.rows("survivor")["id"].to_pylist())
        missing = sorted(set(sound_rows(evidence.history())["id"].to_pylist()) - ids)
        anomalies = [Anomaly(name="lost", count=len(missing), keys=missing)] if missing else []
        return judged(self.kind, examined=len(ids), anomalies=anomalies, unit="rows")


def test_no_matrix_is_no_sight() -> None:
    """Without a proof nothing shows that the checks can see."""
    assert not sight_of(None).proven
    assert not sight_of(prove(planting.ledger(), [LedgerCheck()], sizes=[1])).proven


def test_equivalent_damage_is_not_held_against_a_check() -> None:
    """Deleting rows that nobody acknowledged changes nothing, and counts neither as caught nor as missed."""
    evidence = planting.ledger(
        *[f"{key} insert 1 unknown" for key in range(9)], "9 insert 1 ok", found=[(key, 1, 1) for key in range(10)]
    )
    proof = prove(evidence, [LedgerCheck()], corruptions=[RowDeleted()], sizes=[1], repetitions=20)
    (each,) = proof.classes
    assert each.equivalent > 0
    assert each.planted + each.equivalent == 20
    assert each.caught == each.planted


def test_a_store_of_another_name_is_found() -> None:
    """Corruptions are aimed at the rows that the checks read, whatever these are called."""
    run = planting.simulated(500)
    evidence = Evidence(planting.NOWHERE).replaced(history=run.history(), rows={"standby": run.rows("survivor")})
    proof = prove(evidence, [LedgerCheck(store="standby")], corruptions=FEW, sizes=[1], repetitions=1)
    assert [each.caught for each in proof.classes] == [1, 1]


def test_two_checks_of_one_kind_are_told_apart() -> None:
    """Each gets its own column, and damage to one store is not asked of a check that reads another."""
    run = planting.simulated(500)
    evidence = run.replaced(rows={"other": run.rows("survivor")})
    proof = prove(evidence, [LedgerCheck(), LedgerCheck(store="other")], corruptions=FEW, sizes=[1], repetitions=1)
    assert proof.checks == ["ledger 1", "ledger 2"]
    cells = {cell.check: cell.status for cell in proof.cells if cell.corruption == "row_deleted"}
    assert cells == {"ledger 1": "caught", "ledger 2": "not-applicable"}


@pytest.fixture(scope="module")
def small() -> Evidence:
    return planting.simulated(400, seed=4, unsettled_share=0.15)


def conforming() -> list[Corruption]:
    return [corruption for corruption in all_corruptions() if "ledger" in corruption.stores]


DOSES = [(c, size) for c in conforming() for size in (1, 7) if size == 1 or not c.kind.startswith("batch_")]


@pytest.mark.parametrize(("corruption", "size"), DOSES, ids=[f"{c.kind}-{size}" for c, size in DOSES])
def test_a_corruption_says_exactly_what_it_damaged(small: Evidence, corruption: Corruption, size: int) -> None:
    """The damaged ids are those whose rows or operations differ; what it calls equivalent is no violation."""
    batch = corruption.kind.startswith("batch_")
    before = small.rows("survivor")
    for repetition in range(5):
        planted = corruption.plant(small, size, np.random.default_rng(repetition))
        after = planted.evidence.rows("survivor")
        changed = _changed(before, after) | _changed(small.history().table, planted.evidence.history().table, "key")
        assert changed <= planted.keys | planted.equivalent | (changed if batch else set())
        assert planted.keys <= changed
        assert not planted.keys & planted.equivalent
        assert _same(corruption, small, size, repetition, planted)


def _changed(before: pa.Table, after: pa.Table, key: str = "id") -> set[int]:
    """Keys whose rows, as a multiset, are not the same in both; by brute force."""

    def grouped(table: pa.Table) -> dict[int, list[str]]:
        groups: dict[int, list[str]] = {}
        for row in table.to_pylist():
            groups.setdefault(row[key], []).append(repr(sorted(row.items())))
        return {name: sorted(rows) for name, rows in groups.items()}

    old, new = grouped(before), grouped(after)
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def _same(corruption: Corruption, evidence: Evidence, size: int, seed: int, planted: Planted) -> bool:
    """Whether the same seed plants the same damage again."""
    again = corruption.plant(evidence, size, np.random.default_rng(seed))
    rows = again.evidence.rows("survivor").equals(planted.evidence.rows("survivor"))
    return rows and again.keys == planted.keys and again.equivalent == planted.equivalent


def test_a_hundred_clean_runs_raise_no_alarm() -> None:
    """Against a store that keeps its promises the ledger check stays silent, whatever the seed."""
    alarms = [
        seed
        for seed in range(100)
        if LedgerCheck().judge(planting.simulated(250, seed=seed, unsettled_share=0.3)).outcome is not Outcome.PASS
    ]
    assert alarms == []
