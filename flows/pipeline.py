"""One pipeline for every kind of run: the verbs in order, each a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect.runtime import deployment, flow_run

from blocks.guardrails import Guardrails
from chaosday.clock import SystemClock
from chaosday.judging.verdict import Verdict
from chaosday.model.intent import Intent
from chaosday.record.run_directory import RunDirectory, runs_root
from chaosday.running.kind import Kind
from chaosday.running.run import Run
from chaosday.safety.guardrails import Guardrails as Limits
from chaosday.safety.permission import Approved, Permission
from flows.approval import PATIENCE_S, approval_of
from flows.attempt import as_state, remember
from flows.halt import PrefectHalt
from flows.orders import orders_of
from tasks.baseline import baseline
from tasks.inject import inject
from tasks.observe import observe
from tasks.preflight import preflight
from tasks.prove import prove
from tasks.report import report
from tasks.rollback import rollback
from tasks.telling import RIM, lose
from tasks.verify import verify

Turn = Callable[[Run], None]


def nobodys(run: Run) -> None:
    """Between two verbs it is nobody's turn."""


@dataclass(frozen=True)
class Turns:
    """When it is people's turn, while nothing is on."""

    before_harm: Turn = nobodys
    before_judging: Turn = nobodys


@dataclass(frozen=True)
class Asked:
    """What a flow run is told about permission: its limits, who asks, and how long a second person is waited for."""

    guardrails: Guardrails | None = None
    requested_by: str = ""
    approval_wait_s: int = PATIENCE_S

    def approval(self, intent: Intent) -> Approved | None:
        """A second person's consent, where it is needed and was given."""
        limits = self.guardrails.limits() if self.guardrails else Limits()
        return approval_of(intent, limits, self.requested_by, self.approval_wait_s)


def pipeline(run: Run, turns: Turns = Turns()) -> Verdict:
    """The verbs in order; whatever happens, what was begun is rolled back before anything is judged."""
    try:
        _done(preflight, run)
        if run.ready:
            _done(baseline, run)
        if run.ready:
            turns.before_harm(run)
        if run.ready:
            _done(inject, run)
            _done(observe, run)
    finally:
        _done(rollback, run)
    turns.before_judging(run)
    _done(verify, run)
    _done(prove, run)
    _done(report, run)
    run.clean_up()
    return run.conclude()


def _done(verb: Any, run: Run) -> None:
    """A verb as a task; where Prefect cannot make one of it, the verb all the same: Prefect is the rim, not the net."""
    try:
        verb(run)
    except RIM as error:
        lose(run, error)
        if verb.fn.__name__ not in run.begun:
            getattr(run, verb.fn.__name__)()


def carried_out(
    kind: Kind,
    directory: Path | None,
    asked: Asked,
    *,
    placebo: bool = False,
    turns: Turns = Turns(),
) -> Any:
    """One run of any kind in a flow: permission, pipeline, and its verdict as the flow's state."""
    intent = kind.intent()
    kept = RunDirectory(directory) if directory else RunDirectory.create(runs_root(), intent.title, SystemClock())
    permission = permission_for(kept, asked.guardrails, asked.approval(intent))
    with Run(kind, kept, placebo=placebo, permission=permission) as run:
        verdict = pipeline(run, turns)
    return as_state(verdict)


def permission_for(
    directory: RunDirectory, guardrails: Guardrails | None = None, approved: Approved | None = None
) -> Permission:
    """The switches, fences and limits of a flow run, and when it was due, if a schedule started it."""
    remember(directory)
    due = flow_run.scheduled_start_time if flow_run.get_id() else None
    scheduled_ns = int(due.timestamp() * 1e9) if due is not None and deployment.id else None
    return Permission.of(
        directory.path.parent,
        switches=(PrefectHalt(), *orders_of(directory)),
        guardrails=guardrails.limits() if guardrails else None,
        scheduled_ns=scheduled_ns,
        approved=approved,
    )
