"""The demo's arms as a flow of their own, for schedules and the UI."""

from __future__ import annotations

from typing import Any, Literal

from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.lab.failover import failover_lab
from chaosday.record.run_directory import RunDirectory, runs_root
from chaosday.running.placebo import is_placebo_turn
from chaosday.running.run import Run
from chaosday.undo.watching import watched_over
from flows.attempt import as_state, run_flow
from flows.pipeline import permission_for, pipeline


@run_flow(name="durability demo", flow_run_name="{arm}")
def durability(
    arm: Literal["asynchronous", "synchronous"] = "synchronous", seed: int = 1, placebo_every: int = 0
) -> Any:
    """Start a PostgreSQL pair, lose its primary while the standby is cut off, and see what was kept.

    Args:
        arm: How the standby follows. Asynchronous has to come out violated, synchronous has to pass.
        seed: The seed of everything random in the run.
        placebo_every: Make one in so many runs of this arm a placebo, in which nothing is hurt; 0 for none.
    """
    root = runs_root().resolve()
    placebo = is_placebo_turn(root, f"{arm} durability", placebo_every, seed)
    directory = RunDirectory.create(root, f"{arm} durability", SystemClock())
    with (
        watched_over(directory.run, directory.journal_path),
        failover_lab(arm, directory.path / "servers", seed=seed) as lab,
        Run(ExperimentKind(lab.experiment), directory, placebo=placebo, permission=permission_for(directory)) as run,
    ):
        verdict = pipeline(run)
    return as_state(verdict)
