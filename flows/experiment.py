"""The experiment, as a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import deployment, flow_run
from prefect.states import Completed, Failed

from blocks.guardrails import Guardrails
from chaosday.clock import SystemClock
from chaosday.drills.execution import Execution
from chaosday.judging.verdict import Verdict
from chaosday.model.experiment import Experiment
from chaosday.model.finding import Outcome
from chaosday.record.run_directory import RunDirectory, runs_root
from chaosday.running.placebo import is_placebo_turn
from chaosday.safety.guardrails import Guardrails as Limits
from chaosday.safety.permission import Approved, Permission
from flows.approval import PATIENCE_S, approval_of
from flows.halt import PrefectHalt
from tasks.baseline import baseline
from tasks.inject import inject
from tasks.observe import observe
from tasks.preflight import preflight
from tasks.prove import prove
from tasks.report import report
from tasks.rollback import rollback
from tasks.verify import verify


def pipeline(run: Execution) -> Verdict:
    """The verbs in order; whatever happens, what was begun is rolled back before anything is judged."""
    try:
        preflight(run)
        if run.ready:
            baseline(run)
        if run.ready:
            inject(run)
            observe(run)
    finally:
        rollback(run)
    verify(run)
    prove(run)
    verdict = report(run)
    if verdict.outcome is not Outcome.VIOLATED:
        run.clean_up()
    return verdict


def permission_for(
    directory: RunDirectory, guardrails: Guardrails | None = None, approved: Approved | None = None
) -> Permission:
    """The switches, fences and limits of a flow run, and when it was due, if a schedule started it."""
    due = flow_run.scheduled_start_time if flow_run.get_id() else None
    scheduled_ns = int(due.timestamp() * 1e9) if due is not None and deployment.id else None
    return Permission.of(
        directory.path.parent,
        switches=(PrefectHalt(),),
        guardrails=guardrails.limits() if guardrails else None,
        scheduled_ns=scheduled_ns,
        approved=approved,
    )


def as_state(verdict: Verdict) -> Any:
    """A run is Completed only when it passed; its verdict is the name of its state."""
    state = Completed if verdict.outcome is Outcome.PASS else Failed
    return state(name=verdict.outcome.value, message=verdict.words)


@flow(name="experiment", flow_run_name="{experiment.title}", retries=0, persist_result=False)
def experiment(
    experiment: Experiment,
    directory: Path | None = None,
    placebo: bool = False,
    placebo_every: int = 0,
    guardrails: Guardrails | None = None,
    requested_by: str = "",
    approval_wait_s: int = PATIENCE_S,
) -> Any:
    """Hurt a system on purpose, undo it, and say whether it lost, corrupted or contradicted any data.

    Args:
        experiment: What is believed, what will be hurt, and how damage would be seen.
        directory: The run directory that takes the evidence; a new one under chaosday-runs by default.
        placebo: Do everything but inject. Damage that is found then convicts the tool.
        placebo_every: Make one in so many runs of this experiment a placebo; 0 for none.
        guardrails: What experiments may do here; without them only production is refused.
        requested_by: Who asks. Faults that need a second person wait for somebody else's consent in the UI.
        approval_wait_s: How long they wait, in seconds.
    """
    at_zero = placebo or is_placebo_turn(runs_root(), experiment.title, placebo_every, experiment.seed)
    kept = RunDirectory(directory) if directory else RunDirectory.create(runs_root(), experiment.title, SystemClock())
    limits = guardrails.limits() if guardrails else Limits()
    approved = approval_of(experiment, limits, requested_by, approval_wait_s)
    permission = permission_for(kept, guardrails, approved)
    with Execution(experiment, kept, placebo=at_zero, permission=permission) as run:
        verdict = pipeline(run)
    return as_state(verdict)
