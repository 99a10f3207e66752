"""The experiment as a kind of run: clients write, faults are on, somebody brings it back, and the data are judged."""

from __future__ import annotations

from typing import Any

from chaosday.drills.experiment.collecting import collect
from chaosday.judging.verdict import Verdict
from chaosday.model.experiment import Experiment, Guard
from chaosday.model.intent import Intent, commands_of
from chaosday.reporting.page import write_report
from chaosday.running.kind import Judgement, Kind
from chaosday.running.live import LiveRun, Planned
from chaosday.running.rehearsal import rehearse
from chaosday.running.settling import settled
from chaosday.running.workloads import several


class ExperimentKind(Kind):
    """What ``model.experiment`` describes."""

    kind = "experiment"
    value_type = Experiment
    has_placebo = True
    value: Experiment

    def intent(self) -> Intent:
        value = self.value
        probes = [*value.steady_state, *value.evidence, *(guard.probe for guard in value.guards)]
        probes += [value.settle.probe] if value.settle.probe else []
        return Intent(
            title=value.title,
            hypothesis=value.hypothesis,
            seed=value.seed,
            environment=value.environment,
            targets=value.targets,
            faults=[each.fault for each in value.faults],
            commands=commands_of([*probes, *value.actions, *value.repairs, *value.targets.values()]),
            max_targets=value.blast_radius.max_targets,
            length_s=length_of(value),
        )

    def guards(self) -> list[Guard]:
        return self.value.guards

    def resolve(self, run: LiveRun) -> None:
        for each in sorted(self.value.faults, key=lambda each: each.at_s):
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
        began_ns = run.clock.monotonic_ns()
        for each in run.plans:
            run.wait("inject", each.at_s - (run.clock.monotonic_ns() - began_ns) / 1e9, each.fault.kind)
            if not run.ready:
                break
            run.say("inject", f"{each.fault.kind} on {each.fault.target}{' (placebo)' if self.placebo else ''}")
            if self.placebo:
                self._abstain(run, each)
            else:
                run.strike(each.plan)

    def observe(self, run: LiveRun) -> None:
        """Let the faults act on the running workload, then do what an operator would do.

        Where nothing was hurt there is nothing for an operator to do: to promote the standby of a healthy
        primary would be a dose of its own.
        """
        run.wait("observe", self.value.fault_window_s)
        # Before the actions: to fail over may be to kill what stood still.
        run.last_look()
        if run.injected and not self.placebo:
            run.act("observe", self.value.actions)

    def wind_down(self, run: LiveRun) -> None:
        """Repair, wait until the system is itself again, end the workloads, read the steady state."""
        hurt = run.injected and not self.placebo
        if hurt:
            run.act("rollback", self.value.repairs)
        if run.workloads.drivers:
            self._settle(run)
            run.wait("rollback", self.value.after_s, "watching it work again")
        run.stop_workloads()
        if run.injected:
            readings = run.read(self.value.steady_state, "steady state")
            run.keep("steady_state_after", [reading.model_dump(mode="json") for reading in readings])

    def collect(self, run: LiveRun) -> None:
        collect(run.directory, self.value, run.targets, run.workloads.drivers)
        if run.injected and not self.placebo:
            run.measure_met(run.directory.evidence().history(), self.value.least_share_met)

    def judgement(self) -> Judgement:
        value = self.value
        return Judgement(
            checks=value.checks,
            bites=len(value.faults),
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

    def public(self) -> dict[str, Any]:
        data = self.value.model_dump(mode="json", exclude={"targets"})
        return data | {"targets": {name: target.public() for name, target in self.value.targets.items()}}

    def _abstain(self, run: LiveRun, each: Planned) -> None:
        run.require_leave(each.plan)
        run.injected = True
        run.lifecycle.arm(each.plan)
        run.keep_alive()
        bite = run.lifecycle.abstain(each.plan)
        if bite.bit:
            run.fall_short(f"placebo: {bite.fault} was measured though nothing was injected: {bite.why}")

    def _settle(self, run: LiveRun) -> None:
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
    last_s = max((each.at_s for each in experiment.faults), default=0)
    first_s = max(experiment.baseline_s, experiment.baseline_at_most_s)
    return first_s + last_s + experiment.fault_window_s + experiment.after_s
