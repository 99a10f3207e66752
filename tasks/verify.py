"""Verify: evidence to disk, then the checks."""

from __future__ import annotations

from prefect import task

from chaosday.drills.execution import Execution
from chaosday.model.finding import Finding
from tasks.progress import progressed
from tasks.settings import ACT


@task(name="verify data integrity", **ACT)
def verify(run: Execution) -> list[Finding]:
    """What each check found; a check that crashed is an inconclusive finding."""
    findings = run.verify()
    progressed(run.directory, "verify")
    return findings
