"""What a search concludes from what its runs came to, told by runs whose ends are given."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from chaosday.clock import SystemClock
from chaosday.drills.exploring.base import Allowed, Base, Limits
from chaosday.drills.exploring.exploration import Exploration, Explored
from chaosday.drills.exploring.ground import Asked, ground
from chaosday.drills.exploring.trials import Experiment, Trial, Trials, faults_of, trial_of
from chaosday.judging.verdict import conclude
from chaosday.model.fault import Bite, Reading
from chaosday.model.finding import Finding, Outcome
from chaosday.record.journal import Journal
from chaosday.record.run_directory import RunDirectory
from chaosday.safety.permission import Permission
from chaosday.statistics import loss_upper_bound

pytestmark = pytest.mark.kernel
KILL = Allowed(fault={"kind": "process.kill", "target": "x"})
BASE = Base("given", {"title": "given"}, (), Limits(allow=[KILL], least=2, of=3))
SOUND = Trial(run="r", outcome="pass", judged=True, bit=True)
NEW = SOUND.model_copy(update={"states": ["something new"]})
LOSES = Trial(run="r", outcome="violated", anomalies={"lost": 3}, judged=True, bit=True)
BLIND = Trial(run="r", outcome="inconclusive")


class Given(Trials):
    """Runs with faults come to what is given, one after the other; the base without any is sound."""

    def ending(self, ends: list[Trial]) -> Given:
        self._ends = list(ends)
        return self

    def run(self, experiment: Experiment) -> Trial:
        self.count += 1
        return self._ends.pop(0) if faults_of(experiment) else SOUND


def explored(root: Path, ends: list[Trial], runs: int) -> Explored:
    permission: Callable[[], Permission] = lambda: Permission.of(root)  # noqa: E731
    system: Callable[[], Any] = lambda: nullcontext({})  # noqa: E731
    asked = Asked(runs=runs)
    with ground(BASE, system, root, asked, permission=permission, clock=SystemClock(), tell=print) as made:
        trials = Given(BASE, system, root, made.journal, permission=permission, clock=SystemClock(), seed=1)
        return Exploration(dataclasses.replace(made, trials=trials.ending(ends))).run()


@pytest.mark.parametrize(
    ("ends", "outcome", "found", "once", "words"),
    [
        ([SOUND, SOUND], "pass", False, 0, "nothing found"),
        ([LOSES], "violated", True, 0, "no budget was left to try it again"),
        ([SOUND, LOSES], "violated", True, 0, "no budget was left to try it again"),
        ([LOSES, SOUND, SOUND], "violated", False, 1, "violated once and not again: process.kill"),
        ([LOSES, SOUND, SOUND, SOUND, SOUND], "violated", False, 1, "violated once and not again: process.kill"),
        ([BLIND, BLIND], "inconclusive", False, 0, "no run with a fault"),
        ([], "inconclusive", False, 0, "no run with a fault"),
    ],
    ids=["sound", "the last run", "the second one", "once", "once of three", "nothing measured", "the base alone"],
)
def test_damage_that_was_seen_is_never_nothing(
    tmp_path: Path, ends: list[Trial], outcome: str, found: bool, once: int, words: str
) -> None:
    """Also where no budget is left to try it again, and where it does not come again; the base alone says nothing."""
    said = explored(tmp_path, ends, runs=1 + len(ends))
    assert (said.outcome.value, said.found, len(said.once_only)) == (outcome, found, once)
    assert words in said.words


def test_the_share_is_told_from_what_was_drawn(tmp_path: Path) -> None:
    """Neither the base nor what was varied counts, and what violated once counts as violating."""
    said = explored(tmp_path / "once", [LOSES, SOUND, SOUND, SOUND, BLIND, SOUND], runs=7)
    assert (said.judged, said.drawn) == (3, 3)
    assert said.at_most == pytest.approx(loss_upper_bound(1, 3))
    varied = explored(tmp_path / "varied", [NEW] + [SOUND] * 19, runs=21)
    assert varied.judged == 20 and 1 <= varied.drawn < 20
    assert varied.at_most == pytest.approx(loss_upper_bound(0, varied.drawn))


@pytest.mark.parametrize(
    ("bites", "stopped", "judged"), [([True], False, True), ([False], False, False), ([], False, False),
                                     ([True], True, False)],
)  # fmt: skip
def test_a_run_whose_fault_was_not_measured_is_not_judged(
    tmp_path: Path, bites: list[bool], stopped: bool, judged: bool
) -> None:
    """A sound check says nothing of a fault that did not hit, and nothing where the run ended early."""
    directory = RunDirectory.create(tmp_path, "one", SystemClock())
    Journal.create(directory.journal_path, directory.run, clock=SystemClock()).close()
    finding = Finding(check="set", outcome=Outcome.PASS, examined=9)
    directory.write_json("findings.json", [finding.model_dump(mode="json")])
    reading = Reading(value=1, unit="processes", by="process table")
    told = [Bite(fault="f", target="t", bit=bit, baseline=reading, during=reading, why="so") for bit in bites]
    verdict = conclude(findings=[finding], bites=told, faults=1, cleans=[])
    assert trial_of(directory, verdict, faults=1, injected=True, stopped=stopped).judged is judged
