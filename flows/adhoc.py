"""Experiments by hand, from a form: a database by its block, a fault from a tab, nothing that only JSON can fill."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed, Failed

from blocks.guardrails import Guardrails
from blocks.postgresql import PostgreSQLDatabase
from blocks.ssh_host import SSHHost
from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.errors import InvalidExperiment
from chaosday.model.experiment import Experiment, parse
from chaosday.record.run_directory import RunDirectory, runs_root
from chaosday.reporting.plan_page import plan_markdown
from chaosday.running.run import Run
from flows.attempt import as_state, run_flow
from flows.form import Checks, ConnectionFault, Durations, Guards, HostFault, experiment_of
from flows.pipeline import permission_for, pipeline
from tasks.preflight import preflight

HYPOTHESIS = "No acknowledged write is lost, corrupted or contradicted."


@run_flow(name="ad hoc: connections", flow_run_name="{title}")
def ad_hoc_connections(  # noqa: PLR0913, PLR0917 - each parameter is a part of the form
    database: PostgreSQLDatabase,
    fault: ConnectionFault,
    title: str = "Ad hoc: connections",
    hypothesis: str = HYPOTHESIS,
    durations: Durations = Durations(),  # noqa: B008
    checks: Checks = Checks(),  # noqa: B008
    guards: Guards = Guards(),  # noqa: B008
    guardrails: Guardrails | None = None,
    dry_run: bool = True,
) -> Any:
    """Hurt the connections of our own clients to a PostgreSQL database, in a proxy before it; nobody else's.

    Args:
        database: Where it is, and the account that experiments use on it.
        fault: What happens to the connections.
        title: What the run is called.
        hypothesis: What you believe will hold.
        durations: How long each phase takes.
        checks: What is looked at afterwards.
        guards: What ends the run early.
        guardrails: What experiments may do here; without them only production is refused.
        dry_run: Only plan it, and show what would be touched. Switch it off to do it.
    """
    through = database.target(via="door")
    wanted = experiment_of(title, hypothesis, through, fault, durations=durations, checks=checks, guards=guards)
    wanted["targets"]["door"] = {"kind": "proxy_route", "upstream": f"{database.host}:{database.port}"}
    return _run(parse_form(wanted), guardrails, dry_run)


@run_flow(name="ad hoc: host", flow_run_name="{title}")
def ad_hoc_host(  # noqa: PLR0913, PLR0917 - each parameter is a part of the form
    database: PostgreSQLDatabase,
    host: SSHHost,
    fault: HostFault,
    title: str = "Ad hoc: host",
    hypothesis: str = HYPOTHESIS,
    durations: Durations = Durations(),  # noqa: B008
    checks: Checks = Checks(),  # noqa: B008
    guards: Guards = Guards(),  # noqa: B008
    guardrails: Guardrails | None = None,
    dry_run: bool = True,
) -> Any:
    """Hurt the host on which a PostgreSQL database runs, over SSH, and see what became of acknowledged writes.

    Args:
        database: Where it is, and the account that experiments use on it.
        host: The machine that it runs on.
        fault: What happens to the machine.
        title: What the run is called.
        hypothesis: What you believe will hold.
        durations: How long each phase takes.
        checks: What is looked at afterwards.
        guards: What ends the run early.
        guardrails: What experiments may do here; without them only production is refused.
        dry_run: Only plan it, and show what would be touched. Switch it off to do it.
    """
    direct = database.target()
    wanted = experiment_of(title, hypothesis, direct, fault, durations=durations, checks=checks, guards=guards)
    wanted["targets"]["host"] = host.target()
    return _run(parse_form(wanted), guardrails, dry_run)


def parse_form(wanted: dict[str, Any]) -> Experiment:
    """The experiment that the form describes; targets are values already, with their secrets in them."""
    if not wanted["checks"]:
        raise InvalidExperiment("checks: switch on at least one, or nothing would be looked at")
    return parse(wanted)


def _run(experiment: Experiment, guardrails: Guardrails | None, dry_run: bool) -> Any:
    if dry_run:
        return _planned(experiment, guardrails)
    directory = RunDirectory.create(runs_root(), experiment.title, SystemClock())
    with Run(ExperimentKind(experiment), directory, permission=permission_for(directory, guardrails)) as run:
        verdict = pipeline(run)
    return as_state(verdict)


def _planned(experiment: Experiment, guardrails: Guardrails | None) -> Any:
    """What would be touched, as an artifact. The plan is kept nowhere else: a run that did not run has no evidence."""
    with tempfile.TemporaryDirectory(prefix="chaosday-plan-") as scratch:
        directory = RunDirectory.create(Path(scratch), experiment.title, SystemClock())
        with Run(ExperimentKind(experiment), directory, permission=permission_for(directory, guardrails)) as run:
            plan = preflight(run)
            shortfalls = list(run.shortfalls)
    create_markdown_artifact(
        plan_markdown(plan, shortfalls), key=f"chaosday-plan-{directory.token}", description="What would be touched"
    )
    if shortfalls:
        return Failed(name="cannot run", message=shortfalls[0])
    return Completed(name="planned", message="Nothing was touched. Switch dry run off to do it.")
