"""Baseline: what comes before any harm, undisturbed for a while."""

from __future__ import annotations

from prefect import task

from chaosday.running.run import Run
from tasks.progress import over
from tasks.settings import ACT


@task(name="baseline", **ACT)
def baseline(run: Run) -> None:
    """Steady state, clients at work, monitors that are healthy, flags that are sealed."""
    run.baseline()
    over(run, "baseline")
