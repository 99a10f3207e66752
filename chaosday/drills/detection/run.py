"""One run of a detection drill, verb by verb."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from chaosday.checks.detection import Detection
from chaosday.clock import Clock, SystemClock
from chaosday.drills.detection.drill import DetectionDrill
from chaosday.drills.detection.watch import Notice, Watch
from chaosday.errors import ChaosdayError
from chaosday.judging.proof import KillMatrix, prove
from chaosday.judging.verdict import Verdict, conclude, judge_checks
from chaosday.model.clean import Clean
from chaosday.model.fault import Bite, Fault, FaultPlan
from chaosday.model.finding import Finding
from chaosday.progress import Step, say
from chaosday.record.journal import Journal
from chaosday.record.run_directory import RunDirectory
from chaosday.running.describing import described
from chaosday.running.lifecycle import Lifecycle
from chaosday.undo.watching import watched_over

T = TypeVar("T")


class DetectionRun:
    """A drill in progress: ``preflight``, ``listen``, ``damage``, ``verify``, ``prove``, ``conclude``.

    Damage is a fault with a lease like any other: leaving the block undoes what is still there, however it is left.
    """

    def __init__(self, drill: DetectionDrill, directory: RunDirectory, clock: Clock | None = None) -> None:
        self.drill, self.directory, self.clock = drill, directory, clock or SystemClock()
        self.journal = Journal.create(directory.journal_path, directory.run, clock=self.clock)
        self.lifecycle = Lifecycle(
            directory.run,
            self.journal,
            drill.targets,
            clock=self.clock,
            seed=drill.seed,
            max_affected=drill.max_targets,
        )
        self.shortfalls: list[str] = []
        self.bites: list[Bite] = []
        self.cleans: list[Clean] = []
        self.findings: list[Finding] = []
        self.matrix: KillMatrix | None = None
        self.seen: dict[str, Any] = {"damage": [], "ringing": []}
        self._plans: list[FaultPlan] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(watched_over(self.directory.run, self.directory.journal_path))
        self.lifecycle.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            try:
                self.lifecycle.__exit__(kind, error, trace)
            finally:
                for target in self.drill.targets.values():
                    target.close()
                self.journal.close()

    @property
    def ready(self) -> bool:
        """Whether nothing has gone wrong yet."""
        return not self.shortfalls

    def preflight(self) -> dict[str, Any]:
        """Reach everything, plan all damage, and write the plan; touches nothing."""
        self._say("preflight", "reaching the targets")
        self.journal.append("preflight", drill=self.drill.model_dump(mode="json", exclude={"targets"}))
        reached = {name: self._guarded(target.reach) or "" for name, target in self.drill.targets.items()}
        for fault in self.drill.damage:
            plan = self._guarded(partial(self.lifecycle.plan, fault)) if self.ready else None
            self._plans += [plan] if plan else []
        plan_json = {
            "run": self.directory.run,
            "title": self.drill.title,
            "hypothesis": self.drill.hypothesis,
            "seed": self.drill.seed,
            "placebo": False,
            "targets": {n: {"is": words, **self.drill.targets[n].public()} for n, words in reached.items()},
            "faults": [described(0, fault, plan) for fault, plan in zip(self.drill.damage, self._plans, strict=False)],
            "operations_needed": 0,
            "experiment": self.drill.model_dump(mode="json", exclude={"targets"})
            | {"checks": [check.model_dump(mode="json") for check in self.checks()]},
        }
        self.directory.write_json("plan.json", plan_json)
        return plan_json

    def checks(self) -> list[Detection]:
        """The one question of a detection drill."""
        return [Detection(must_notice=self.drill.must_notice)]

    def listen(self) -> None:
        """The monitors before any damage: one that rings already, or that says nothing, ends the drill."""
        self._say("baseline", "listening to the monitors")
        watch = self._watch()
        self._wait(lambda: False, self.drill.quiet_s, "baseline", "listening to the monitors")
        for notice in watch.stop():
            if notice.after_s is not None:
                self.seen["ringing"].append(notice.monitor)
                self._fall_short(f"monitor {notice.monitor} is not healthy before any damage: {notice.words}")
            elif not notice.readings or notice.silent:
                self._fall_short(f"monitor {notice.monitor} gave no answer: {notice.words or 'not within quiet_s'}")

    def damage(self) -> None:
        """Each kind of damage in turn: plant it, wait until it is noticed or patience ends, undo it, look."""
        for fault, plan in zip(self.drill.damage, self._plans, strict=True):
            if not self.ready:
                return
            self._say("inject", f"{_name(fault)} on {fault.target}")
            self._guarded(partial(self._damage, fault, plan))

    def verify(self) -> list[Finding]:
        """Judge what was noticed."""
        self.directory.write_json("observations/detection.json", self.seen)
        self.findings = judge_checks(self.checks(), self.directory.evidence())
        self.directory.write_json("findings.json", [finding.model_dump(mode="json") for finding in self.findings])
        return self.findings

    def prove(self) -> KillMatrix:
        """Would damage that nobody noticed be told?"""
        self.matrix = prove(self.directory.evidence(), self.checks(), seed=self.drill.seed, clock=self.clock)
        self.directory.write_json("proof.json", self.matrix.model_dump(mode="json"))
        return self.matrix

    def conclude(self) -> Verdict:
        """Undo whatever is left, merge everything into the verdict, and write it."""
        self.cleans = self.lifecycle.heal_all()
        verdict = conclude(
            findings=self.findings,
            bites=self.bites,
            faults=len(self.drill.damage),
            matrix=self.matrix,
            must_see=None,
            cleans=self.cleans,
            loss_rate_to_see=None,
            shortfalls=self.shortfalls,
        )
        self.directory.write_json("verdict.json", verdict.model_dump(mode="json"))
        self.journal.append("verdict", outcome=verdict.outcome.value, reasons=verdict.reasons)
        return verdict

    def _damage(self, fault: Fault, plan: FaultPlan) -> None:
        self.lifecycle.arm(plan)
        self.lifecycle.start_heartbeat()
        self.lifecycle.inject(plan)
        watch = self._watch()
        try:
            bite = self.lifecycle.attest(plan)
            wanted = len(self.drill.monitors)
            self._wait(lambda: watch.noticed() == wanted, self.drill.patience_s, "observe", f"{_name(fault)} is there")
        finally:
            notices = watch.stop()
            self.lifecycle.heal(plan)
        self.bites.append(bite)
        self.seen["damage"].append(_seen(_name(fault), bite, notices))
        self.journal.append("noticed", damage=_name(fault), notices=[n.model_dump(mode="json") for n in notices])

    def _watch(self) -> Watch:
        return Watch(self.drill.monitors, self.drill.targets, self.clock, self.drill.every_s)

    def _fall_short(self, reason: str) -> None:
        self.shortfalls.append(reason)
        self.journal.append("shortfall", reason=reason)

    def _guarded(self, act: Callable[[], T]) -> T | None:
        try:
            return act()
        except ChaosdayError as error:
            self._fall_short(str(error))
            return None

    def _wait(self, over: Callable[[], bool], seconds: float, phase: str, words: str) -> None:
        began_ns = self.clock.monotonic_ns()
        while not over() and (gone_s := (self.clock.monotonic_ns() - began_ns) / 1e9) < seconds:
            self._say(phase, words, gone_s, seconds)
            self.clock.sleep(min(0.05, seconds - gone_s))

    def _say(self, phase: str, words: str, done: float = 0, total: float = 0) -> None:
        say(Step(self.directory.run, phase, words, done, total))


def _name(fault: Fault) -> str:
    how = getattr(fault, "damage", "")
    return f"{fault.kind}: {how}" if how else fault.kind


def _seen(name: str, bite: Bite, notices: list[Notice]) -> dict[str, Any]:
    return {"name": name, "bit": bite.bit, "why": bite.why, "notices": [n.model_dump(mode="json") for n in notices]}
