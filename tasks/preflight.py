"""Preflight: reach everything, plan everything, touch nothing."""

from __future__ import annotations

from typing import Any

from prefect import task

from chaosday.drills.execution import Execution
from tasks.progress import progressed
from tasks.settings import ACT


@task(name="preflight", **ACT)
def preflight(run: Execution) -> dict[str, Any]:
    """The plan: what would be touched, by name, and how it would be undone."""
    plan = run.preflight()
    progressed(run.directory, "preflight")
    return plan
