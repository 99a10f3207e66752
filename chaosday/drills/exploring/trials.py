"""One run of a schedule, by the one engine: under the same permission, guards and halt switch as every run."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from chaosday.clock import Clock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.drills.exploring.base import Base, Facts, System
from chaosday.drills.exploring.drawing import in_words
from chaosday.drills.exploring.seen import seen
from chaosday.errors import ChaosdayError, Halted, InvalidExperiment, Refused
from chaosday.judging.verdict import Verdict
from chaosday.model.base import Model
from chaosday.model.finding import Outcome
from chaosday.record.journal import Journal
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import play
from chaosday.running.run import Run
from chaosday.safety.halting import halted_by
from chaosday.safety.permission import Permission

Experiment = dict[str, Any]
"""An experiment as plain data."""


class Trial(Model):
    """What one run of a schedule came to; ``run`` is empty where none could begin."""

    run: str = ""
    outcome: str = "inconclusive"
    anomalies: dict[str, int] = {}
    judged: bool = False
    """Whether each of its faults was measured, nothing ended it early, and its checks came to an end."""
    bit: bool = False
    """Whether each of its faults was measured to hit; also where it has none."""
    refused: bool = False
    """Whether nothing was hurt because the schedule may not, or cannot, be."""
    reasons: list[str] = []
    states: list[str] = []
    failing: float = 0
    p99_ms: float = 0
    s: float = 0
    """How long it took, in seconds."""


class Trials:
    """Runs schedules one after the other, each on a system of its own where a lab starts one.

    ``root`` is where runs are kept. A run that found nothing and left nothing is taken away again unless ``keep``.
    """

    def __init__(
        self,
        base: Base,
        system: System,
        root: Path,
        journal: Journal,
        *,
        permission: Callable[[], Permission],
        clock: Clock,
        seed: int,
        keep: bool = False,
    ) -> None:
        self._base, self._system, self._root, self._journal = base, system, root, journal
        self._permission, self._clock, self._keep = permission, clock, keep
        self._seeds = Random(f"runs of {seed}")
        self.count = 0
        self.longest_s = 0.0
        self.failed_in_a_row = 0

    def run(self, experiment: Experiment) -> Trial:
        """Journal it, run it, and read what it came to.

        ``Halted`` where the switch is on; ``Refused`` where permission for all of them is missing, or a fault could
        not be undone: nothing more may be hurt then.
        """
        if words := halted_by(self._permission().switches):
            raise Halted(words)
        began_ns = self._clock.monotonic_ns()
        faults = experiment.get("faults") or []
        self.count += 1
        self._journal.append("run", number=self.count, faults=faults, words=in_words(faults))
        try:
            with self._system() as facts:
                trial = self._run(experiment, facts)
        except InvalidExperiment as error:
            trial = Trial(refused=True, reasons=[str(error)])
        except Refused:
            raise
        except ChaosdayError as error:
            trial = Trial(reasons=[str(error)])
            self._patience(error)
        else:
            self.failed_in_a_row = 0
        took_s = (self._clock.monotonic_ns() - began_ns) / 1e9
        self.longest_s = max(self.longest_s, took_s)
        trial = trial.model_copy(update={"s": round(took_s, 2)})
        self._journal.append("ran", number=self.count, **trial.model_dump(mode="json", exclude={"states"}))
        if trial.outcome == Outcome.REVERT_FAILED.value:
            raise Refused(f"a fault could not be undone in {trial.run}: chaosday recover; nothing more is tried")
        return trial

    def _run(self, experiment: Experiment, facts: Facts) -> Trial:
        titled = {**experiment, "title": f"explore: {self._base.title}"[:120], "seed": self._seeds.randrange(1 << 31)}
        value = self._base.filled(titled, facts)
        directory = RunDirectory.create(self._root, value.title, self._clock)
        with Run(ExperimentKind(value), directory, self._clock, permission=self._permission()) as run:
            play(run)
            run.verify()
            verdict = run.report()
            run.clean_up()
            refusals, injected = list(run.refusals), run.injected
        if refusals:
            self._forget(directory)
            raise Refused("; ".join(refusals))
        faults, stopped = faults_of(experiment), bool(run.stopped)
        trial = trial_of(directory, verdict, faults=len(faults), injected=injected, stopped=stopped)
        if not self._keep and trial.outcome in (Outcome.PASS.value, Outcome.INCONCLUSIVE.value):
            self._forget(directory)
        return trial

    def _forget(self, directory: RunDirectory) -> None:
        shutil.rmtree(directory.path, ignore_errors=True)

    def _patience(self, error: ChaosdayError) -> None:
        """A system that three times in a row could not be had is not there."""
        self.failed_in_a_row += 1
        if self.failed_in_a_row >= 3:
            raise error


def trial_of(directory: RunDirectory, verdict: Verdict, *, faults: int, injected: bool, stopped: bool) -> Trial:
    """What a run of so many faults came to, by its folder and its verdict; ``stopped`` is one that ended early."""
    found: list[dict[str, Any]] = []
    with contextlib.suppress(ChaosdayError):
        found = directory.read_json("findings.json")
    reached = seen(directory)
    ends = [each["outcome"] for each in found]
    ended = bool(ends) and all(each in (Outcome.PASS.value, Outcome.VIOLATED.value) for each in ends)
    bit = verdict.proofs["bite"].held
    return Trial(
        run=directory.run,
        outcome=verdict.outcome.value,
        anomalies={a["name"]: a["count"] for each in found for a in each["anomalies"]},
        judged=ended and bit and not stopped,
        bit=bit,
        refused=bool(faults) and not injected,
        reasons=verdict.reasons[:5],
        states=sorted(reached.states),
        failing=round(reached.failing, 4),
        p99_ms=round(reached.p99_ms, 3),
    )


def faults_of(experiment: Experiment) -> list[dict[str, Any]]:
    """Its schedule."""
    return list(experiment.get("faults") or [])
