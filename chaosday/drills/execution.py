"""One run of an experiment, verb by verb: what the tasks call, and all there is to it without Prefect."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self

from chaosday.clients.driver import HALT_GRACE_S, STOP_GRACE_S, Driver
from chaosday.clock import Clock, SystemClock
from chaosday.errors import ChaosdayError, EvidenceMissing
from chaosday.judging.proof import KillMatrix, prove
from chaosday.judging.verdict import Verdict, conclude, judge_checks, of_placebo
from chaosday.model.clean import Clean
from chaosday.model.experiment import Experiment
from chaosday.model.fault import Bite, FaultPlan
from chaosday.model.finding import Finding
from chaosday.model.probe import ProbeReading
from chaosday.model.target import Target
from chaosday.model.workload import Workload
from chaosday.progress import Step, say
from chaosday.record.journal import Journal
from chaosday.record.run_directory import RunDirectory
from chaosday.running.collecting import collect
from chaosday.running.describing import described
from chaosday.running.lifecycle import Lifecycle
from chaosday.running.live_rate import LiveRate
from chaosday.running.rehearsal import rehearse
from chaosday.running.settling import settled
from chaosday.safety.guarding import Guarding
from chaosday.safety.halting import HaltWatch, halted_by
from chaosday.safety.holding import Holding
from chaosday.safety.permission import Permission
from chaosday.statistics import operations_needed
from chaosday.undo.watching import watched_over


class Execution:
    """A run in progress. Verbs are called in order; ``rollback`` is always called once anything was begun.

    What falls short is collected in ``shortfalls``, in words; each one alone makes the verdict
    inconclusive. Nothing between ``inject`` and the end of ``rollback`` waits for anybody else's API.
    """

    def __init__(
        self,
        experiment: Experiment,
        directory: RunDirectory,
        clock: Clock | None = None,
        *,
        placebo: bool = False,
        permission: Permission | None = None,
    ) -> None:
        self.experiment = experiment
        self.permission = permission or Permission.of(directory.path.parent)
        self.directory = directory
        self.clock = clock or SystemClock()
        self.placebo = placebo
        """At zero dose: faults are planned, armed, kept alive and healed, and none is injected."""
        self.targets: Mapping[str, Target] = bound(experiment)
        self.journal = Journal.create(directory.journal_path, directory.run, clock=self.clock)
        self.lifecycle = Lifecycle(
            directory.run,
            self.journal,
            self.targets,
            clock=self.clock,
            seed=experiment.seed,
            max_affected=experiment.blast_radius.max_targets,
        )
        self.shortfalls: list[str] = []
        self.bites: list[Bite] = []
        self.cleans: list[Clean] = []
        self.findings: list[Finding] = []
        self.matrix: KillMatrix | None = None
        self.injected = False
        self._rate = LiveRate(self.directory.path / "history", self.clock)
        self._drivers: list[Driver] = []
        self._prepared: list[Workload] = []
        self._guarding = Guarding(experiment.guards, self.targets)
        self._halting = HaltWatch(self.permission.switches, self.stop)
        self._holding = Holding(self.permission.fences, directory.run)
        self._plans: list[tuple[float, Any, FaultPlan]] = []
        self._stop = threading.Event()
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
                self.close()

    @property
    def ready(self) -> bool:
        """Whether nothing has gone wrong yet: the condition for going on to hurt anything."""
        return not self.shortfalls

    def fall_short(self, reason: str) -> None:
        """Note why this run cannot prove what it set out to; journaled, and part of the verdict."""
        self.shortfalls.append(reason)
        self.journal.append("shortfall", reason=reason)

    def stop(self, reason: str) -> None:
        """End the run early from any thread: waits are cut short, everything is undone, the verdict says why."""
        if not self._stop.is_set():
            self.fall_short(reason)
            self._stop.set()

    def preflight(self) -> dict[str, Any]:
        """Reach every target, plan every fault, and write the plan; touches nothing."""
        self._say("preflight", "reaching the targets")
        self.journal.append("preflight", experiment=public(self.experiment))
        if self.permission.approved is not None:
            self.journal.append("approved", **self.permission.approved.model_dump())
        for reason in self.permission.refusals(self.experiment, self.clock.wall_ns()):
            self.fall_short(reason)
        permitted = self.ready
        reached = {name: self._guarded(target.reach) if permitted else "" for name, target in self.targets.items()}
        if self.ready:
            self._guarded(self._plan_faults)
        plan = {
            "run": self.directory.run,
            "title": self.experiment.title,
            "hypothesis": self.experiment.hypothesis,
            "seed": self.experiment.seed,
            "placebo": self.placebo,
            "targets": {n: {"is": words, **self.targets[n].public()} for n, words in reached.items()},
            "faults": [described(*each) for each in self._plans],
            "operations_needed": operations_needed(self.experiment.loss_rate_to_see),
            "experiment": public(self.experiment),
        }
        self.directory.write_json("plan.json", plan)
        return plan

    def baseline(self) -> list[ProbeReading]:
        """Require the steady state, start the workloads, and let them run undisturbed."""
        self._guarded(self._hold)
        self._halting.start()
        readings = self._read_steady_state() if self.ready else []
        self.directory.write_json(
            "observations/steady_state_before.json", [r.model_dump(mode="json") for r in readings]
        )
        if self.ready:
            self._guarded(self._start_workloads)
            self._wait("baseline", self.experiment.baseline_s)
        return readings

    def inject(self) -> list[Bite]:
        """Arm, inject and attest every fault at its time; heartbeats keep the leases alive from here on.

        A placebo run does all of it but the injection.
        """
        self._guarding.start()
        if self.experiment.rehearsal_s and not self.placebo:
            wait = partial(self._wait, "inject", self.experiment.rehearsal_s, "rehearsing")
            self._guarded(partial(rehearse, self.lifecycle, [plan for _, _, plan in self._plans], wait, self.journal))
        began_ns = self.clock.monotonic_ns()
        for at_s, fault, plan in self._plans:
            self._wait("inject", at_s - (self.clock.monotonic_ns() - began_ns) / 1e9, fault.kind)
            if not self.ready:
                break
            self._say("inject", f"{fault.kind} on {fault.target}{' (placebo)' if self.placebo else ''}")
            self.injected = True
            self._guarded(partial(self._strike, plan))
        return self.bites

    def observe(self) -> None:
        """Let the faults act on the running workload, then do what an operator would do.

        Where nothing was hurt there is nothing for an operator to do: to promote the standby of a healthy
        primary would be a dose of its own.
        """
        self._wait("observe", self.experiment.fault_window_s)
        if self.injected and not self.placebo:
            self._act("observe", self.experiment.actions)

    def rollback(self) -> list[Clean]:
        """Undo every fault, wait until the system is itself again, end the workloads, observe clean."""
        self._say("rollback", "undoing the faults")
        self._guarding.stop()
        self._halting.stop()
        self.cleans = self.lifecycle.heal_all()
        for interruption in self.lifecycle.interruptions:
            self.fall_short(f"a fault may have ended early: {interruption}")
        if self.injected and not self.placebo:
            self._act("rollback", self.experiment.repairs)
        if self._drivers:
            self._settle()
            if not self._stop.is_set():
                self._wait("rollback", self.experiment.after_s, "watching it work again")
        self._stop_workloads()
        if self.injected:
            readings = self._read_steady_state()
            kept = [r.model_dump(mode="json") for r in readings]
            self.directory.write_json("observations/steady_state_after.json", kept)
        return self.cleans

    def verify(self) -> list[Finding]:
        """Write all evidence to disk first, then judge it."""
        self._say("verify", "reading back")
        self._guarded(partial(collect, self.directory, self.experiment, self.targets, self._drivers))
        self._say("verify", f"{len(self.experiment.checks)} checks")
        self.findings = judge_checks(self.experiment.checks, self.directory.evidence())
        self.directory.write_json("findings.json", [finding.model_dump(mode="json") for finding in self.findings])
        return self.findings

    def prove(self) -> KillMatrix | None:
        """Plant damage in copies of this run's evidence and see which checks notice."""
        self._say("prove", "planting known damage")
        try:
            self.matrix = prove(
                self.directory.evidence(),
                self.experiment.checks,
                budget_s=self.experiment.sight_budget_s,
                seed=self.experiment.seed,
                clock=self.clock,
            )
        except EvidenceMissing as error:
            self.fall_short(f"sight: {error}")
        else:
            self.directory.write_json("proof.json", self.matrix.model_dump(mode="json"))
        return self.matrix

    def conclude(self) -> Verdict:
        """Merge everything into the verdict, write it, and seal the evidence with hashes."""
        verdict = conclude(
            findings=self.findings,
            bites=self.bites,
            faults=0 if self.placebo else len(self.experiment.faults),
            matrix=self.matrix,
            must_see=self.experiment.must_see,
            cleans=self.cleans,
            loss_rate_to_see=self.experiment.loss_rate_to_see,
            shortfalls=self.shortfalls,
        )
        if self.placebo:
            verdict = of_placebo(verdict, len(self.experiment.faults))
        self.directory.write_json("verdict.json", verdict.model_dump(mode="json"))
        self.journal.append("verdict", outcome=verdict.outcome.value, reasons=verdict.reasons)
        return verdict

    def clean_up(self) -> None:
        """Take away what workloads and probes made in the target, once nobody needs to look at it any more.

        After a violation everything stays where it is: the damage is in there.
        """
        for workload in self._prepared:
            self._guarded_quietly(partial(workload.clean_up, self.targets[workload.target]))
        settle = [self.experiment.settle.probe] if self.experiment.settle.probe else []
        for probe in [*self.experiment.steady_state, *settle] if self._prepared else []:
            self._guarded_quietly(partial(probe.clean_up, self.targets[probe.target]))

    def close(self) -> None:
        """Let go of everything; the lifecycle has undone what was still on. Any number of times."""
        self._guarding.stop()
        self._halting.stop()
        self._stop_workloads()
        self._holding.release()
        for target in self.targets.values():
            target.close()
        self.journal.close()

    def _plan_faults(self) -> None:
        for each in sorted(self.experiment.faults, key=lambda each: each.at_s):
            plan = self.lifecycle.plan(each.fault)
            self._plans.append((each.at_s, each.fault, plan))
        affected = [thing for _, _, plan in self._plans for thing in plan.affected]
        for reason in self.permission.refusals_of(affected):
            self.fall_short(reason)

    def _hold(self) -> None:
        """Nobody else may hurt at the same time what this run will hurt."""
        if self.placebo:
            return
        names = {name for _, fault, plan in self._plans for name in self.targets[fault.target].fences(plan.affected)}
        self._holding.take(names)
        self.journal.append("holding", fences=sorted(names))

    def _strike(self, plan: FaultPlan) -> None:
        self._holding.check()
        # Only the switches that answer at once: between inject and heal nothing waits for anybody's API.
        if words := halted_by([switch for switch in self.permission.switches if switch.local]):
            self.stop(words)
            return
        self.lifecycle.arm(plan)
        self.lifecycle.start_heartbeat()
        if not self.placebo:
            self.lifecycle.inject(plan)
            self.bites.append(self.lifecycle.attest(plan))
            return
        bite = self.lifecycle.abstain(plan)
        if bite.bit:
            self.fall_short(f"placebo: {bite.fault} was measured though nothing was injected: {bite.why}")

    def _start_workloads(self) -> None:
        for workload in self.experiment.workloads:
            mine = workload.model_copy(update={"scope": self.directory.token})
            target = self.targets[workload.target]
            self.journal.append("prepare", workload=mine.model_dump(mode="json"))
            self._prepared.append(mine)
            mine.prepare(target)
            self._drivers.append(Driver.begin(mine, target, self.directory.history_directory, self.experiment.seed))
        self.journal.append("workloads_started", pids=[driver.pid for driver in self._drivers])

    def _stop_workloads(self) -> None:
        if any(driver.alive() for driver in self._drivers):
            self._say("rollback", "letting the workloads finish")
        for driver in self._drivers:
            if wrong := driver.stop(HALT_GRACE_S if self._stop.is_set() else STOP_GRACE_S):
                self.fall_short(wrong)

    def _read_steady_state(self) -> list[ProbeReading]:
        readings = []
        for probe in self.experiment.steady_state:
            reading = probe.read(self.targets[probe.target])
            readings.append(reading)
            if reading.healthy is not True:
                self.fall_short(f"steady state: {probe.kind} on {probe.target}: {reading.words}")
        return readings

    def _act(self, phase: str, actions: list[Any]) -> None:
        for action in actions:
            self._say(phase, f"{action.kind} on {action.target}")
            self.journal.append("action", action=action.model_dump(mode="json"))
            words = self._guarded(partial(action.act, self.targets))
            self.journal.append("action_done", kind=action.kind, words=words)

    def _settle(self) -> None:
        settle = self.experiment.settle
        if settle.probe is None:
            return
        self._say("rollback", "waiting until it is itself again")
        done = settled(settle, settle.probe, self.targets[settle.probe.target], self.clock)
        self.journal.append("settled", **done.model_dump(mode="json"))
        if not done.settled:
            self.fall_short(f"settle: not back within {settle.timeout_s:g} s: {done.words}")

    def _guarded(self, act: Callable[[], Any]) -> Any:
        """Do it; an error on purpose becomes a shortfall, anything else is a bug and is heard."""
        try:
            return act()
        except ChaosdayError as error:
            self.fall_short(str(error))
            return None

    def _guarded_quietly(self, act: Callable[[], Any]) -> None:
        """Do it after the verdict: what does not work any more is journaled and changes nothing."""
        try:
            act()
        except ChaosdayError as error:
            self.journal.append("left_behind", reason=str(error))

    def _wait(self, phase: str, seconds: float, words: str = "") -> None:
        """Wait in small steps, cut short by a stop or a guard, telling how far along."""
        began_ns = self.clock.monotonic_ns()
        while (gone_s := (self.clock.monotonic_ns() - began_ns) / 1e9) < seconds:
            if self._guarding.tripped.is_set():
                self.stop(f"aborted: {self._guarding.why}")
            if self._holding.lost:
                self.stop(f"aborted: {self._holding.lost}")
            if self._stop.is_set():
                return
            dead = next((d for d in self._drivers if not d.alive()), None)
            if dead is not None:
                self.stop(
                    f"the {dead.workload.kind} workload ended by itself; see history/{dead.workload.kind}.driver.log"
                )
            say(Step(self.directory.run, phase, words, gone_s, seconds, self._rate.per_s()))
            self.clock.sleep(min(0.1, seconds - gone_s))

    def _say(self, phase: str, words: str, done: float = 0, total: float = 0) -> None:
        say(Step(self.directory.run, phase, words, done, total))


def bound(experiment: Experiment) -> dict[str, Target]:
    """The experiment's targets by name, those that go ``via`` a route leading through it."""
    targets: dict[str, Target] = dict(experiment.targets)
    for name, target in list(targets.items()):
        via = getattr(target, "via", "")
        if via:
            targets[name] = target.through(targets[via])  # type: ignore[attr-defined]
    return targets


def public(experiment: Experiment) -> dict[str, Any]:
    """The experiment as JSON without secrets."""
    data = experiment.model_dump(mode="json", exclude={"targets"})
    return data | {"targets": {name: target.public() for name, target in experiment.targets.items()}}
