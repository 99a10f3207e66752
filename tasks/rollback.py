"""Roll back: undo everything, wait for service, and observe that the target is clean."""

from __future__ import annotations

from prefect import task

from chaosday.model.clean import Clean
from chaosday.running.run import Run
from tasks.progress import over
from tasks.settings import ACT


@task(name="rollback", **ACT)
def rollback(run: Run) -> list[Clean]:
    """The third proof, one for each fault."""
    cleans = run.rollback()
    over(run, "rollback")
    return cleans
