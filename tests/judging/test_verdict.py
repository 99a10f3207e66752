"""The merge rule, the exit codes, and each way to fall short."""

from __future__ import annotations

import itertools
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosday.checks.ledger import LedgerCheck
from chaosday.judging.sight import Cell, Class, Control, KillMatrix
from chaosday.judging.verdict import EXIT_CODES, conclude, judge_checks, of_placebo, worst
from chaosday.model.check import Check
from chaosday.model.clean import Change, Clean
from chaosday.model.evidence import Evidence
from chaosday.model.fault import Bite, Reading
from chaosday.model.finding import Anomaly, Finding, Outcome, judged
from tests.judging import planting

pytestmark = pytest.mark.kernel
ORDER = [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.VIOLATED, Outcome.REVERT_FAILED]

GOOD = judged("ledger", examined=5_000, anomalies=[], result={"acknowledged": 5_000})
DAMAGED = judged("ledger", examined=5_000, anomalies=[Anomaly(name="lost", count=2, keys=[1, 2])])
READING = Reading(value=1, unit="ms", by="round trip seen by a peer")
BITE = Bite(fault="network.partition", target="db", bit=True, baseline=READING, during=READING, why="0 of 20 answered")
CLEAN = Clean(lease_id="cd-0001", fault="network.partition", target="db")
SEEING = KillMatrix(
    seed=1,
    checks=["ledger"],
    sizes=[1],
    classes=[Class(corruption="row_deleted", planted=1, caught=1)],
    cells=[Cell(check="ledger", corruption="row_deleted", planted=1, caught=1, localised=1)],
    controls=[Control(check="ledger", examined=5_000, same_on_copy=True, silent=True)],
)


def concluded(**changes: Any) -> Any:
    """The verdict of a run in which everything is as it should be, but for ``changes``."""
    whole: dict[str, Any] = {
        "findings": [GOOD],
        "bites": [BITE],
        "faults": 1,
        "cleans": [CLEAN],
        "matrix": SEEING,
        "must_see": None,
        "loss_rate_to_see": 0.01,
        "shortfalls": [],
    }
    return conclude(**(whole | changes))


def test_a_pass_has_all_three_proofs_and_no_reason_against_it() -> None:
    """With bite, sight and clean, and nothing found, it is a pass that says what was examined."""
    verdict = concluded()
    assert (verdict.outcome, verdict.reasons, verdict.exit_code) == (Outcome.PASS, [], 0)
    assert {name: proof.held for name, proof in verdict.proofs.items()} == dict.fromkeys(
        ["bite", "sight", "clean"], True
    )
    assert all(proof.lines for proof in verdict.proofs.values())
    assert "5,000" in verdict.words


def test_a_pass_names_what_would_not_have_been_seen() -> None:
    """A class that nobody promised and that no check saw is in the sentence that says damage would have been seen."""
    tail = Class(corruption="page_tail_truncated", promised=False, planted=6, caught=0)
    verdict = concluded(matrix=SEEING.model_copy(update={"classes": [*SEEING.classes, tail]}))
    assert (verdict.outcome, verdict.reasons) == (Outcome.PASS, [])
    assert "do not see all of page_tail_truncated (0 of 6)" in verdict.words
    assert "page_tail_truncated" in " ".join(verdict.proofs["sight"].lines)
    assert "do not see" not in concluded().words


BLIND = SEEING.model_copy(update={"cells": [Cell(check="ledger", corruption="row_deleted", planted=1)]})
ALARMED = SEEING.model_copy(
    update={"controls": [Control(check="ledger", examined=5_000, same_on_copy=True, silent=False)]}
)
UNSEEN = SEEING.model_copy(update={"classes": [Class(corruption="row_deleted", planted=2, caught=1)]})
NOTHING = judged("ledger", examined=0, anomalies=[])
SHORTFALLS = [
    ("the fault did not bite", {"bites": [BITE.model_copy(update={"bit": False})]}, "did not bite"),
    ("no bite was measured", {"bites": [], "cleans": []}, "no bite was measured"),
    ("one of two faults never came", {"faults": 2}, "1 of 2 planned faults"),
    ("a blind check", {"matrix": BLIND}, "blind check ledger"),
    ("a check that cries wolf", {"matrix": ALARMED}, "alarm on sound evidence"),
    ("a promise broken", {"matrix": UNSEEN}, "row_deleted x ledger"),
    ("a promise that does not apply", {"must_see": ["torn_row"]}, "torn_row"),
    ("nothing planted", {"matrix": None}, "no damage was planted"),
    ("nothing examined", {"findings": [NOTHING]}, "nothing was examined"),
    ("no check at all", {"findings": []}, "no check was made"),
    ("too few operations", {"loss_rate_to_see": 0.0001}, "too few operations: 5000 acknowledged, 29956"),
    ("an unhealthy baseline", {"shortfalls": ["steady state: not healthy"]}, "steady state"),
    ("aborted by a guard", {"shortfalls": ["aborted: latency over 2 s, 3 of 5 times"]}, "aborted"),
    ("a late run", {"shortfalls": ["late: started 700 s after its window"]}, "late"),
]


@pytest.mark.parametrize(("way", "changes", "words"), SHORTFALLS, ids=[case[0] for case in SHORTFALLS])
def test_each_way_to_fall_short_is_inconclusive(way: str, changes: dict[str, Any], words: str) -> None:
    """One thing missing is enough, and the verdict says which, with exit code 2."""
    verdict = concluded(**changes)
    assert (verdict.outcome, verdict.exit_code) == (Outcome.INCONCLUSIVE, 2), way
    assert any(words in reason for reason in verdict.reasons), verdict.reasons
    assert words.split(maxsplit=1)[0] in verdict.words or len(verdict.reasons) > 1


DIRTY = [
    Clean(lease_id="cd-0001", fault="f", target="db", residue=["nft table inet chaosday"]),
    Clean(lease_id="cd-0001", fault="f", target="db", changed=[Change(name="mtu", before=1500, after=900)]),
    Clean(lease_id="cd-0001", fault="f", target="db", errors=["no answer"]),
]


@pytest.mark.parametrize("dirty", DIRTY, ids=["residue", "changed", "error"])
def test_what_is_not_observed_clean_is_revert_failed(dirty: Clean) -> None:
    """Residue, a difference, or nobody able to look: each outranks everything else."""
    verdict = concluded(cleans=[dirty], findings=[DAMAGED], matrix=None)
    assert (verdict.outcome, verdict.exit_code) == (Outcome.REVERT_FAILED, 3)
    assert verdict.reasons[0].startswith("clean: ")
    assert not verdict.proofs["clean"].held


def test_an_injected_fault_that_nobody_looked_after_is_revert_failed() -> None:
    """A bite without an observation afterwards means that nobody knows whether it ended."""
    assert concluded(cleans=[]).outcome is Outcome.REVERT_FAILED


def test_damage_outranks_every_doubt_and_the_doubts_are_kept() -> None:
    """A violated run says so with exit code 1, and still lists what else fell short."""
    verdict = concluded(findings=[DAMAGED], bites=[BITE.model_copy(update={"bit": False})], loss_rate_to_see=None)
    assert (verdict.outcome, verdict.exit_code) == (Outcome.VIOLATED, 1)
    assert verdict.reasons[0] == "ledger: 2 lost"
    assert any("did not bite" in reason for reason in verdict.reasons)


def test_a_placebo_needs_no_bite() -> None:
    """A run that planned no fault is judged by sight and clean alone; what it did not do is counted."""
    verdict = concluded(bites=[], faults=0, cleans=[])
    assert verdict.outcome is Outcome.PASS
    for faults, words in ((1, "1 planned fault was not injected"), (2, "2 planned faults were not injected")):
        assert of_placebo(verdict, faults).proofs["bite"].lines == [f"a placebo: {words}"]


@pytest.mark.parametrize(("late", "words"), [(["late"], "late."), (["late", "cold"], "late (and 1 more).")])
def test_the_words_of_a_verdict_count_the_other_reasons(late: list[str], words: str) -> None:
    """The first one in full; the others by their number, where there are any."""
    assert concluded(shortfalls=late).words.endswith(f": {words}")


@given(st.lists(st.sampled_from(ORDER), min_size=1, max_size=6))
def test_the_worst_wins_in_any_order(outcomes: list[Outcome]) -> None:
    """Merging is taking the worst, whatever the order."""
    top = ORDER[max(ORDER.index(outcome) for outcome in outcomes)]
    assert {worst(order) for order in itertools.islice(itertools.permutations(outcomes), 24)} == {top}


def test_nothing_merged_is_inconclusive_and_every_outcome_has_its_exit_code() -> None:
    """No finding is no pass; the exit codes are those of the design."""
    assert worst([]) is Outcome.INCONCLUSIVE
    assert [EXIT_CODES[outcome] for outcome in ORDER] == [0, 2, 1, 3]


class Unruly(Check):
    """Does not do what a check should."""

    kind: Literal["unruly"] = "unruly"
    how: str = ""

    def judge(self, evidence: Evidence) -> Finding:
        if self.how == "crash":
            return judged(self.kind, examined=1 // 0, anomalies=[])
        if self.how == "missing":
            evidence.rows("nowhere")
        return Finding(check=self.kind, outcome=Outcome.PASS, examined=0)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("crash", "the check crashed: ZeroDivisionError"),
        ("missing", "evidence is missing"),
        ("pass", "nothing was examined"),
    ],
)
def test_a_check_that_cannot_judge_is_an_inconclusive_finding(how: str, words: str) -> None:
    """Crashed, without evidence, or passing on nothing: a finding that says so, and the others are heard."""
    evidence = planting.ledger("1 insert 7 ok", found=[(1, 1, 7)])
    first, second = judge_checks([Unruly(how=how), LedgerCheck()], evidence)
    assert (first.outcome, first.examined) == (Outcome.INCONCLUSIVE, 0)
    assert words in first.reasons[0]
    assert second.outcome is Outcome.PASS
