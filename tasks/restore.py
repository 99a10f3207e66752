"""Restore: a backup under load, a copy brought to life from it, and the comparison with the ledger."""

from __future__ import annotations

from typing import Any

from prefect import task

from chaosday.drills.restoring.run import RestoreRun
from chaosday.judging.proof import KillMatrix
from chaosday.model.finding import Finding
from tasks.settings import ACT


@task(name="preflight", **ACT)
def preflight(run: RestoreRun) -> dict[str, Any]:
    """What would be copied, from where, and with which programs."""
    return run.preflight()


@task(name="back up", **ACT)
def back_up(run: RestoreRun) -> None:
    """Clients write before, while and after the backup is taken."""
    run.back_up()


@task(name="restore", **ACT)
def restore(run: RestoreRun) -> None:
    """Bring the copy to life and measure how long that takes and how old it is."""
    run.restore()


@task(name="compare with the ledger", **ACT)
def compare(run: RestoreRun) -> list[Finding]:
    """What each check found."""
    return run.verify()


@task(name="prove the detectors", **ACT)
def prove(run: RestoreRun) -> KillMatrix | None:
    """Check x corruption."""
    return run.prove()
