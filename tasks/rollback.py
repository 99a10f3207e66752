"""Roll back: undo every fault, wait for service, and observe that the target is clean."""

from __future__ import annotations

from prefect import task

from chaosday.drills.execution import Execution
from chaosday.model.clean import Clean
from tasks.progress import progressed
from tasks.settings import ACT


@task(name="rollback", **ACT)
def rollback(run: Execution) -> list[Clean]:
    """The third proof, one for each fault."""
    cleans = run.rollback()
    progressed(run.directory, "rollback")
    return cleans
