"""Baseline: the steady state, and a workload that runs undisturbed for a while."""

from __future__ import annotations

from prefect import task

from chaosday.drills.execution import Execution
from chaosday.model.probe import ProbeReading
from tasks.progress import progressed
from tasks.settings import ACT


@task(name="baseline", **ACT)
def baseline(run: Execution) -> list[ProbeReading]:
    """What the steady-state probes said before anything was touched."""
    readings = run.baseline()
    progressed(run.directory, "baseline")
    return readings
