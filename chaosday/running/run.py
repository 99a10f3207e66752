"""The one way through: every kind of run, verb by verb, from permission to report."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from chaosday.clock import Clock
from chaosday.errors import ChaosdayError, EvidenceMissing, EvidenceUnwritable, UsageError
from chaosday.judging.proof import KillMatrix, prove
from chaosday.judging.verdict import Verdict, conclude, conclude_played, judge_checks, of_placebo
from chaosday.model.clean import Clean
from chaosday.model.fault import Bite
from chaosday.model.finding import Finding, Outcome
from chaosday.processes.limits.within import within
from chaosday.processes.umask import ours_alone
from chaosday.record.run_directory import RunDirectory
from chaosday.running.describing import described
from chaosday.running.kind import Kind
from chaosday.running.live import LiveRun
from chaosday.running.signals import Stopped
from chaosday.safety.permission import Permission
from chaosday.safety.reading import reached
from chaosday.statistics import operations_needed
from chaosday.undo.undoing import Attempt
from chaosday.undo.watching import watched_over

T = TypeVar("T")
CLEAN_UP_S = 600.0
VERBS = ("preflight", "baseline", "inject", "observe", "rollback", "verify", "prove", "report")


class Run(LiveRun):
    """A run in progress. Verbs are called in the order of ``VERBS``, each once; ``rollback`` always.

    No verb raises for what may go wrong in a run: errors on purpose and stopping signals become shortfalls, and the
    verbs that follow see that nothing is to be hurt any more. Leaving the block undoes what is still on, however it is
    left, and a signal that stopped the run is raised there as ``Stopped``, when verdict and report have been written;
    not so where a fault is still on: that is the end that has to be heard.
    Outside the main thread signals are somebody else's.
    """

    def __init__(
        self,
        kind: Kind,
        directory: RunDirectory,
        clock: Clock | None = None,
        *,
        placebo: bool = False,
        permission: Permission | None = None,
    ) -> None:
        if placebo and not kind.has_placebo:
            raise UsageError(
                f"a run of kind {kind.kind} has no placebo: it is not made of faults that could be left out"
            )
        super().__init__(kind.intent(), directory, clock, guards=kind.guards(), permission=permission)
        self.kind = kind
        self.placebo = kind.placebo = placebo
        """At zero dose: faults are planned, armed, kept alive and healed, and none is injected."""
        self.matrix: KillMatrix | None = None
        self.verdict: Verdict | None = None
        self._all_gone = True
        self.begun: set[str] = set()
        self._planned = False
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(ours_alone())
        watched = watched_over(self.directory.run, self.directory.journal_path)
        self.lifecycle.watchdog = self._stack.enter_context(watched)
        self._stack.callback(self.close)
        self.lifecycle.__enter__()
        self._stack.push(self.lifecycle)
        self._stack.enter_context(self.lifecycle.signals.held())
        self.guarded(lambda: self.kind.opened(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if error is not None and self.begun and self.verdict is None:
                self._end_early(error)
        received = self.lifecycle.signals.received
        if error is None and received and not self._revert_failed:
            raise Stopped(received)

    @property
    def _revert_failed(self) -> bool:
        return self.verdict is not None and self.verdict.outcome is Outcome.REVERT_FAILED

    def preflight(self) -> dict[str, Any]:
        """Ask for permission, reach every target, plan, and write the plan; touches nothing."""
        return self._contained("preflight", self._preflight) or {}

    def baseline(self) -> None:
        """Hold the targets against everybody else, and do what comes before any harm."""
        self._contained("baseline", self._baseline)

    def inject(self) -> list[Bite]:
        """Hurt it, under the eyes of the guards; what was measured."""
        self._guarding.start()
        self._contained("inject", lambda: self.kind.inject(self))
        return self.bites

    def observe(self) -> None:
        """Let it be hurt; nothing where the harm was cut short."""
        self._contained("observe", lambda: None if self.over() else self.kind.observe(self))

    def rollback(self) -> list[Clean]:
        """Undo every fault and everything else of ours, and look; no signal comes between."""
        self.begun.add("rollback")
        self.last_look()
        self.over()
        self.say("rollback", "undoing the faults")
        self._guarding.stop()
        self._halting.stop()
        self.cleans = self.lifecycle.heal_all()
        for interruption in self.lifecycle.interruptions:
            self.fall_short(f"a fault may have ended early: {interruption}")
        try:
            self.guarded(lambda: self.kind.wind_down(self))
        finally:
            self.take_back()
        self.stop_workloads()
        self.over()
        return self.cleans

    def pause(self, act: Callable[[], None]) -> None:
        """Somebody's turn between two verbs, a person's who says go: ended by a signal as verbs are."""
        self._contained("pause", act)

    def verify(self) -> list[Finding]:
        """Write all evidence to disk first, then judge it."""
        return self._contained("verify", self._verify) or self.findings

    def prove(self) -> KillMatrix | None:
        """Plant damage in copies of this run's evidence and see which checks notice."""
        checks = self.kind.judgement().checks
        if checks and not self.lifecycle.signals.received:
            self._contained("prove", self._prove)
        return self.matrix

    def conclude(self) -> Verdict:
        """Merge everything into the verdict and write it; ``EvidenceUnwritable`` where that cannot be."""
        if self.verdict is not None:
            return self.verdict
        with _evidence():
            if not self._planned:
                # Stopped before it was planned: a page that says so needs to know what it was about.
                self._write_plan({})
            # What was changed behind our back is no proof of what we did.
            self.guarded(self.journal.reading)
            verdict = self._concluded()
            self.directory.write_json("verdict.json", verdict.model_dump(mode="json"))
            self.journal.append("verdict", outcome=verdict.outcome.value, reasons=verdict.reasons)
        self.verdict = verdict
        return verdict

    def report(self) -> Verdict:
        """Conclude, and write the page."""
        self.begun.add("report")
        verdict = self.conclude()
        self.say("report", "writing it")
        with _evidence():
            self.kind.report(self, verdict)
        return verdict

    def clean_up(self) -> None:
        """Take away what was made in the target, once nobody needs to look at it any more.

        After a violation everything stays where it is: the damage is in there. What does not work is journaled, and
        changes nothing.
        """
        if self.verdict is not None and self.verdict.outcome is Outcome.VIOLATED:
            return
        for workload in self.workloads.prepared:
            self._tried(partial(workload.clean_up, self.targets[workload.target]))
        self._tried(lambda: self.kind.clean_up(self))
        # Without it a run that is killed before this point could not be told from one that is through.
        if self._all_gone:
            with contextlib.suppress(OSError):
                self.journal.append("cleaned_up")

    def close(self) -> None:
        """Let go of everything; the lifecycle has undone what was still on. Any number of times."""
        self._guarding.stop()
        self._halting.stop()
        self.stop_workloads()
        self._holding.release()
        self.kind.close()
        for target in self.targets.values():
            target.close()
        self.journal.close()

    def _preflight(self) -> dict[str, Any]:
        self.say("preflight", "reaching the targets")
        self.journal.append("preflight", **{"kind": self.kind.kind, "experiment": self.kind.public()})
        if self.permission.approved is not None:
            self.journal.append("approved", **self.permission.approved.model_dump())
        self.refusals = self.permission.refusals(self.intent, self.clock.wall_ns())
        for reason in [*self.refusals, *self.kind.gaps()]:
            self.fall_short(reason)
        permitted = self.ready
        if permitted:
            self._halting.start()
        words = {
            name: self.guarded(lambda target=target: reached(target)) or "" if permitted else ""  # type: ignore[misc]
            for name, target in self.targets.items()
        }
        if self.ready:
            self.guarded(self._resolve)
        self.kind.preflighted(self)
        return self._write_plan(words)

    def _resolve(self) -> None:
        self.kind.resolve(self)
        affected = [each.plan.affected for each in self.plans]
        together = affected if self.intent.one_at_a_time else [[thing for things in affected for thing in things]]
        for reason in dict.fromkeys(reason for things in together for reason in self.permission.refusals_of(things)):
            self.fall_short(reason)

    def _write_plan(self, reached: dict[str, str]) -> dict[str, Any]:
        plan = self._plan(reached)
        if not self.kind.sealed:
            self.directory.write_json("plan.json", plan)
        self._planned = True
        return plan

    def _plan(self, reached: dict[str, str]) -> dict[str, Any]:
        loss_rate = self.kind.judgement().loss_rate_to_see
        return {
            "run": self.directory.run,
            "title": self.intent.title,
            "hypothesis": self.intent.hypothesis,
            "seed": self.intent.seed,
            "placebo": self.placebo,
            "targets": {name: {"is": words, **self.targets[name].public()} for name, words in reached.items()},
            "faults": [*(described(each.at_s, each.fault, each.plan) for each in self.plans), *self.kind.acts(self)],
            "operations_needed": operations_needed(loss_rate) if loss_rate else 0,
            "experiment": self.kind.public(),
        }

    def _baseline(self) -> None:
        if not self.placebo:
            self.hold(self.kind.holds(self))
        self.kind.baseline(self)

    def _verify(self) -> list[Finding]:
        self.say("verify", "reading back")
        self.guarded(lambda: self.kind.collect(self))
        checks = self.kind.judgement().checks
        self.say("verify", f"{len(checks)} checks")
        self.findings = judge_checks(checks, self.directory.evidence())
        self.directory.write_json("findings.json", [finding.model_dump(mode="json") for finding in self.findings])
        return self.findings

    def _prove(self) -> None:
        self.say("prove", "planting known damage")
        judgement = self.kind.judgement()
        self.matrix = prove(
            self.directory.evidence(),
            judgement.checks,
            budget_s=judgement.sight_budget_s,
            seed=self.intent.seed,
            clock=self.clock,
        )
        self.directory.write_json("proof.json", self.matrix.model_dump(mode="json"))

    def _concluded(self) -> Verdict:
        judgement = self.kind.judgement()
        if judgement.played:
            return conclude_played(judgement.played, self.bites, judgement.bites, self.cleans, self.shortfalls)
        verdict = conclude(
            findings=self.findings,
            bites=self.bites,
            faults=0 if self.placebo else judgement.bites,
            matrix=self.matrix,
            must_see=judgement.must_see,
            cleans=self.cleans,
            loss_rate_to_see=judgement.loss_rate_to_see,
            shortfalls=self.shortfalls,
        )
        return of_placebo(verdict, judgement.bites) if self.placebo else verdict

    def _contained(self, verb: str, act: Callable[[], T]) -> T | None:
        """One verb: what goes wrong in it falls short, and a stopping signal ends it and the run."""
        self.begun.add(verb)
        try:
            with self.lifecycle.signals.interruptible():
                return self.guarded(act)
        except Stopped as stopped:
            self.stop(str(stopped))
        return None

    def _tried(self, act: Callable[[], None]) -> None:
        try:
            within(CLEAN_UP_S, act, "taking away what was made")
        except (ChaosdayError, OSError) as error:
            self._all_gone = False
            with contextlib.suppress(OSError):
                self.journal.append("left_behind", reason=str(error))

    def _end_early(self, error: BaseException) -> None:
        """A defect of ours, or whoever called us, ends the run: undone, judged as far as it got, and told."""
        self.fall_short(f"the run was ended by {type(error).__name__}")
        self._stop.set()
        for verb in (self.rollback, self.verify, self.report):
            if verb.__name__ not in self.begun:
                with Attempt(verb.__name__):
                    verb()


@contextlib.contextmanager
def _evidence() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f"{error.filename} " if error.filename else ""
        raise EvidenceUnwritable(f"the evidence of the run cannot be written: {where}{error.strerror}") from None
    except EvidenceMissing as error:
        raise EvidenceUnwritable(f"the report cannot be written, for want of evidence: {error}") from None
