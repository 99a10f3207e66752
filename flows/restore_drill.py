"""The restore drill, as a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow

from chaosday.clock import SystemClock
from chaosday.drills.restoring.drill import RestoreDrill
from chaosday.drills.restoring.run import RestoreRun
from chaosday.record.run_directory import RunDirectory, runs_root
from flows.experiment import as_state
from tasks.report import report
from tasks.restore import back_up, compare, preflight, prove, restore


@flow(name="restore drill", flow_run_name="{drill.title}", retries=0, persist_result=False)
def restore_drill(drill: RestoreDrill, directory: Path | None = None) -> Any:
    """Take a backup while clients write, restore it beside the source, and compare it with what was acknowledged.

    Args:
        drill: What is backed up, how, and what is promised of it.
        directory: The run directory that takes the evidence; a new one under chaosday-runs by default.
    """
    kept = RunDirectory(directory) if directory else RunDirectory.create(runs_root(), drill.title, SystemClock())
    with RestoreRun(drill, kept) as run:
        preflight(run)
        back_up(run)
        restore(run)
        compare(run)
        prove(run)
        verdict = report(run)
    return as_state(verdict)
