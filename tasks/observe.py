"""Observe: let the harm act, under the eyes of the guards."""

from __future__ import annotations

from prefect import task

from chaosday.running.run import Run
from tasks.settings import ACT


@task(name="observe", **ACT)
def observe(run: Run) -> None:
    """Ends when its time is over, or as soon as a guard trips."""
    run.observe()
