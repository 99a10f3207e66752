"""Observe: let the faults act on the running workload, under the eyes of the guards."""

from __future__ import annotations

from prefect import task

from chaosday.drills.execution import Execution
from tasks.settings import ACT


@task(name="observe", **ACT)
def observe(run: Execution) -> None:
    """Ends at the fault window's end, or as soon as a guard trips."""
    run.observe()
