"""The experiment as a kind of run: clients write, faults are on, somebody brings it back, and the data are judged."""

from __future__ import annotations

from typing import Any

from chaosday.drills.experiment.collecting import collect
from chaosday.drills.experiment.schedule import Schedule
from chaosday.judging.verdict import Verdict
from chaosday.model.action import Action
from chaosday.model.experiment import Experiment, Guard
from chaosday.model.intent import Intent, commands_of
from chaosday.model.target import Shell
from chaosday.reporting.page import write_report
from chaosday.running.kind import Judgement, Kind
from chaosday.running.live import LiveRun
from chaosday.running.rehearsal import rehearse
from chaosday.running.settling import settled
from chaosday.running.workloads import several


class ExperimentKind(Kind):
    """What ``model.experiment`` describes."""

    kind = "experiment"
    value_type = Experiment
    has_placebo = True
    value: Experiment
    _schedule: Schedule | None = None

    def intent(self) -> Intent:
        value = self.value
        probes = [*value.steady_state, *value.evidence, *(guard.probe for guard in value.guards)]
        probes += [each for field in value.asking for each in getattr(value, field)]
        probes += [value.settle.probe] if value.settle.probe else []
        probes += [each.probe for _, each in value.conditions() if each.probe is not None]
        return Intent(
            title=value.title,
            hypothesis=value.hypothesis,
            seed=value.seed,
            environment=value.environment,
            targets=value.targets,
            faults=[each.fault for each in value.schedule()],
            commands=commands_of([*probes, *self._actions(), *value.targets.values()]),
            irreversible=[each.kind for each in self._actions() if getattr(each, "irreversible", False)],
            max_targets=value.blast_radius.max_targets,
            length_s=length_of(value),
        )

    def guards(self) -> list[Guard]:
        return self.value.guards

    def resolve(self, run: LiveRun) -> None:
        for _, condition in self.value.conditions():
            if condition.log is not None:
                run.targets[condition.log.target].capability(Shell)
        for each in self.value.schedule():
            run.plan(each.fault, each.at_s)

    def baseline(self, run: LiveRun) -> None:
        """Require the steady state, start the workloads, and let them run undisturbed."""
        readings = run.read(self.value.steady_state, "steady state")
        run.keep("steady_state_before", [reading.model_dump(mode="json") for reading in readings])
        if not run.ready:
            return
        for workload in self.value.workloads:
            run.workloads.start(workload, run.targets[workload.target])
        value = self.value
        run.let_work(value.baseline_s, value.baseline_at_most_s, several(value.loss_rate_to_see))

    def inject(self, run: LiveRun) -> None:
        """Every fault at its time. A placebo run does all of it but the injection."""
        if self.value.rehearsal_s and not self.placebo:
            plans = [each.plan for each in run.plans]
            rehearse(
                run.lifecycle, plans, lambda: run.wait("inject", self.value.rehearsal_s, "rehearsing"), run.journal
            )
        self._schedule = Schedule(run, self.value.schedule(), placebo=self.placebo)
        self._schedule.inject()

    def observe(self, run: LiveRun) -> None:
        """Let the faults act on the running workload, then do what an operator would do.

        Where nothing was hurt there is nothing for an operator to do: to promote the standby of a healthy
        primary would be a dose of its own.
        """
        run.wait("observe", self.value.fault_window_s, until=self._schedule.over if self._schedule else lambda: False)
        # Before the actions: to fail over may be to kill what stood still.
        run.last_look()
        if run.injected and not self.placebo:
            run.act("observe", self.value.actions)

    def wind_down(self, run: LiveRun) -> None:
        """Repair, wait until the system is itself again, end the workloads, read the steady state."""
        if run.injected and not self.placebo:
            self.repair(run)
        if run.workloads.drivers:
            self.settle(run)
            run.wait("rollback", self.value.after_s, "watching it work again")
        run.stop_workloads()
        if run.injected:
            readings = run.read(self.value.steady_state, "steady state")
            run.keep("steady_state_after", [reading.model_dump(mode="json") for reading in readings])

    def repair(self, run: LiveRun) -> None:
        """What is done once the faults have been undone."""
        run.act("rollback", self.value.repairs)

    def collect(self, run: LiveRun) -> None:
        collect(run.directory, self.value, run.targets, run.workloads.drivers)
        if run.injected and not self.placebo:
            run.measure_met(run.directory.evidence().history(), self.value.least_share_met)

    def judgement(self) -> Judgement:
        value = self.value
        return Judgement(
            checks=value.checks,
            bites=sum(each.times for each in value.schedule()),
            must_see=value.must_see,
            loss_rate_to_see=value.loss_rate_to_see,
            sight_budget_s=value.sight_budget_s,
        )

    def report(self, run: LiveRun, verdict: Verdict) -> None:
        write_report(run.directory)

    def clean_up(self, run: LiveRun) -> None:
        settle = [self.value.settle.probe] if self.value.settle.probe else []
        for probe in [*self.value.steady_state, *settle] if run.workloads.prepared else []:
            probe.clean_up(run.targets[probe.target])

    def _actions(self) -> list[Action]:
        return [each for field in self.value.acting for each in getattr(self.value, field)]

    def public(self) -> dict[str, Any]:
        data = self.value.model_dump(mode="json", exclude={"targets"})
        return data | {"targets": {name: target.public() for name, target in self.value.targets.items()}}

    def settle(self, run: LiveRun) -> None:
        """Wait until the system is itself again; where it is not in time, the run falls short."""
        settle = self.value.settle
        if settle.probe is None:
            return
        run.say("rollback", "waiting until it is itself again")
        done = settled(settle, settle.probe, run.targets[settle.probe.target], run.clock)
        run.journal.append("settled", **done.model_dump(mode="json"))
        if not done.settled:
            run.fall_short(f"settle: not back within {settle.timeout_s:g} s: {done.words}")


def length_of(experiment: Experiment) -> float:
    """How long it disturbs anything, in seconds, settling apart."""
    last_s = max((each.longest_s for each in experiment.schedule()), default=0)
    first_s = max(experiment.baseline_s, experiment.baseline_at_most_s)
    return first_s + last_s + experiment.fault_window_s + experiment.after_s
