"""Small experiments on a PostgreSQL pair of our own: for schedules, the UI, and ``chaosday lab``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.lab.failover import failover_lab
from chaosday.lab.scenarios import Scenario
from chaosday.record.run_directory import RunDirectory, runs_root
from chaosday.running.placebo import is_placebo_turn
from chaosday.running.run import Run
from chaosday.undo.watching import watched_over
from flows.attempt import as_state, run_flow
from flows.pipeline import permission_for, pipeline


@run_flow(name="lab", flow_run_name="{scenario}")
def lab(
    scenario: Scenario = "replica lag", seed: int = 1, placebo_every: int = 0, directory: Path | None = None
) -> Any:
    """Start a PostgreSQL pair with synchronous replication, hurt it in one way, and see that nothing was lost.

    Args:
        scenario: What happens to it.
        seed: The seed of everything random in the run.
        placebo_every: Make one in so many runs of this scenario a placebo, in which nothing is hurt; 0 for none.
        directory: The run directory that takes the evidence; a new one under chaosday-runs by default.
    """
    root = runs_root().resolve()
    placebo = is_placebo_turn(root, scenario, placebo_every, seed)
    kept = RunDirectory(directory) if directory else RunDirectory.create(root, scenario, SystemClock())
    # Where the standby is cut off, synchronous replication would rather wait than write.
    arm = "asynchronous" if scenario == "replica lag" else "synchronous"
    with (
        watched_over(kept.run, kept.journal_path),
        failover_lab(arm, kept.path / "servers", seed=seed, scenario=scenario) as made,
        Run(ExperimentKind(made.experiment), kept, placebo=placebo, permission=permission_for(kept)) as run,
    ):
        verdict = pipeline(run)
    return as_state(verdict)
