"""Verify: evidence to disk, then the checks."""

from __future__ import annotations

from prefect import task

from chaosday.model.finding import Finding
from chaosday.running.run import Run
from tasks.progress import over
from tasks.settings import ACT


@task(name="verify data integrity", **ACT)
def verify(run: Run) -> list[Finding]:
    """What each check found; a check that crashed is an inconclusive finding."""
    findings = run.verify()
    over(run, "verify")
    return findings
