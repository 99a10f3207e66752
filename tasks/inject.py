"""Inject: arm the lease, do the harm, measure that it hit."""

from __future__ import annotations

from prefect import task

from chaosday.model.fault import Bite
from chaosday.running.run import Run
from tasks.settings import ACT


@task(name="inject", **ACT)
def inject(run: Run) -> list[Bite]:
    """The first proof, one for each fault."""
    return run.inject()
