"""Prove: would these checks have seen damage in this data?"""

from __future__ import annotations

from prefect import task

from chaosday.drills.execution import Execution
from chaosday.judging.proof import KillMatrix
from tasks.progress import progressed
from tasks.settings import ACT


@task(name="prove the detectors", **ACT)
def prove(run: Execution) -> KillMatrix | None:
    """The second proof: check x corruption."""
    matrix = run.prove()
    progressed(run.directory, "prove")
    return matrix
