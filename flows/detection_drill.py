"""The detection drill, as a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow

from chaosday.clock import SystemClock
from chaosday.drills.detection.drill import DetectionDrill
from chaosday.drills.detection.run import DetectionRun
from chaosday.record.run_directory import RunDirectory, runs_root
from flows.experiment import as_state
from tasks.detect import damage, listen, preflight, prove, verify
from tasks.report import report


@flow(name="detection drill", flow_run_name="{drill.title}", retries=0, persist_result=False)
def detection_drill(drill: DetectionDrill, directory: Path | None = None) -> Any:
    """Plant real damage where it is marked as scratch, undo it, and say whose monitors noticed, and how soon.

    Args:
        drill: What is damaged, and whose monitors ought to notice.
        directory: The run directory that takes the evidence; a new one under chaosday-runs by default.
    """
    kept = RunDirectory(directory) if directory else RunDirectory.create(runs_root(), drill.title, SystemClock())
    with DetectionRun(drill, kept) as run:
        preflight(run)
        if run.ready:
            listen(run)
        if run.ready:
            damage(run)
        verify(run)
        prove(run)
        verdict = report(run)
    return as_state(verdict)
