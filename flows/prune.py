"""Retention as a flow: what ``chaosday prune`` does, shown as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.states import Completed, Failed
from pydantic import Field

from chaosday.campaign.catalogue import catalogue_of
from chaosday.campaign.pruning import KEEP, MONTHS, Cut, prune, to_prune
from chaosday.clock import SystemClock
from chaosday.record.foreign_words import markdown_cells
from chaosday.record.run_directory import runs_root
from flows.strict import strict_flow
from tasks.settings import ACT


@task(name="cut runs", **ACT)
def cut_runs(runs: Path, keep: int, months: int, dry_run: bool) -> list[Cut]:
    """What goes of the folder, or would."""
    clock = SystemClock()
    catalogue = catalogue_of([runs])
    cuts, _ = to_prune(catalogue, clock, keep, months)
    return cuts if dry_run else prune(catalogue, cuts, clock)


@strict_flow(name="prune", retries=0, persist_result=False)
def retention(
    dry_run: bool = True,
    keep: Annotated[int, Field(ge=1)] = KEEP,
    months: Annotated[int, Field(ge=0)] = MONTHS,
    runs: Path | None = None,
) -> Any:
    """Let the evidence of old passes go; what it proved stays counted. Failed where something could not go.

    Args:
        dry_run: Only show what would go.
        keep: How many of the newest runs of each experiment stay whole.
        months: For how many months one pass of each stays whole.
        runs: Where run directories lie; chaosday-runs by default.
    """
    cuts = cut_runs(runs or runs_root(), keep, months, dry_run)
    create_table_artifact(
        markdown_cells({"run": each.run, "bytes": each.bytes, "cut": each.done, "": each.why_not} for each in cuts),
        key="chaosday-prune",
        description="What would go" if dry_run else "What went",
    )
    left = [f"{each.run}: {each.why_not}" for each in cuts if each.why_not]
    if left:
        return Failed(message="; ".join(left)[:1000])
    return Completed(message=f"{len(cuts)} runs {'would be' if dry_run else 'were'} cut")
