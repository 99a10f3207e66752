"""Preflight: ask for permission, reach everything, plan everything, touch nothing."""

from __future__ import annotations

from typing import Any

from prefect import task

from chaosday.running.run import Run
from tasks.progress import over
from tasks.settings import ACT


@task(name="preflight", **ACT)
def preflight(run: Run) -> dict[str, Any]:
    """The plan: what would be touched, by name, and how it would be undone."""
    plan = run.preflight()
    over(run, "preflight")
    return plan
