"""What many runs say together, as artifacts in Prefect: what to do next, and the table of what was proven."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.states import Completed

from chaosday.campaign.campaigning import series_of
from chaosday.campaign.catalogue import catalogue_of
from chaosday.campaign.coverage import EXPIRES_DAYS, coverage
from chaosday.campaign.drilled import drilled, to_do, todays
from chaosday.campaign.restored import restored
from chaosday.clock import SystemClock
from chaosday.drills.gameday.systems import critical_systems
from chaosday.record.foreign_words import in_markdown, markdown_cells
from chaosday.record.run_directory import runs_root
from flows.strict import strict_flow
from tasks.settings import ACT

CELLS = 1_000
"""An artifact is kept in Prefect's database, and looked at in a browser."""


@task(name="read runs", **ACT)
def read_runs(runs: Path, systems: Path | None, expires_days: float) -> tuple[list[str], list[dict[str, Any]]]:
    """What to do next, a line each, and a row for each detector, fault and system."""
    clock = SystemClock()
    found = catalogue_of([runs]).runs
    covered = coverage(found, clock, expires_days)
    critical = drilled(critical_systems(systems) if systems else [], found, clock)
    rows = [
        {"system": each.system, "fault": each.fault, "check": each.check, "": each.state, "proven": each.proven,
         "runs": each.runs}
        for each in todays(covered)
    ]  # fmt: skip
    return to_do(covered, critical, series_of(found), restored(found, clock, expires_days)), rows


@strict_flow(name="campaign", retries=0, persist_result=False)
def campaign(runs: Path | None = None, systems: Path | None = None, expires_days: float = EXPIRES_DAYS) -> Any:
    """Show what was proven, when and of which version, and what to do next; hurts nothing.

    Args:
        runs: Where run directories lie; chaosday-runs by default.
        systems: A game day's file, whose critical systems are looked at.
        expires_days: How old a proof may be and still count.
    """
    lines, rows = read_runs(runs or runs_root(), systems, expires_days)
    said = "\n".join(f"1. {in_markdown(line)}" for line in lines[:50]) or "Nothing: everything was proven of late."
    create_markdown_artifact(said, key="chaosday-next", description="What to do next")
    create_table_artifact(
        markdown_cells(rows[:CELLS]), key="chaosday-campaign", description="What was proven, and when last"
    )
    return Completed(message=f"{len(lines)} things to do")
