"""Prove: would these checks have seen damage in this data?"""

from __future__ import annotations

from prefect import task

from chaosday.judging.proof import KillMatrix
from chaosday.running.run import Run
from tasks.progress import over
from tasks.settings import ACT


@task(name="prove the detectors", **ACT)
def prove(run: Run) -> KillMatrix | None:
    """The second proof: check x corruption."""
    matrix = run.prove()
    over(run, "prove")
    return matrix
