"""The janitor: ends what dead runs left, from their journals and from the targets themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.states import Completed, Failed

from chaosday.clock import SystemClock
from chaosday.drills.abandoned import conclude_abandoned
from chaosday.drills.leftovers import remove_leftovers
from chaosday.model.experiment import load_targets
from chaosday.model.lease import LeaseHolder
from chaosday.model.target import Target
from chaosday.record.foreign_words import markdown_cells
from chaosday.record.run_directory import RunDirectory, runs_root
from chaosday.undo.fleet import recover_hosts
from chaosday.undo.recovery import Recovered, journals_under, recover, words
from flows.attempt import because, tell_flow_run
from flows.strict import strict_flow
from tasks.settings import ACT

TOLD_S = 86_400
"""The server is told about runs that something was written about in this time; older ones it knows of."""


@task(name="recover runs", **ACT)
def recover_runs(runs: Path) -> list[Recovered]:
    """End what the journals under ``runs`` hold open; a run that lives is left alone."""
    return recover(journals_under(runs))


@task(name="judge runs that died", **ACT)
def conclude_runs(runs: Path, targets: dict[str, Target]) -> list[Recovered]:
    """Verdict and report for those that had none, told to their flow runs; then what they made in targets goes."""
    journals = journals_under(runs)
    did = conclude_abandoned(journals, because)
    for journal in journals:
        if SystemClock().wall_ns() / 1e9 - journal.stat().st_mtime < TOLD_S:
            tell_flow_run(RunDirectory(journal.parent))
    return did + remove_leftovers(journals, targets)


@task(name="recover targets", **ACT)
def recover_targets(file: Path) -> list[Recovered]:
    """End every lease on the targets of a file, side by side, past those that do not answer."""
    holders = {name: each for name, each in load_targets(file).items() if LeaseHolder in each.capabilities()}
    return recover_hosts(holders)


@strict_flow(name="recover", retries=0, persist_result=False)
def recovery(runs: Path | None = None, targets: list[Path] | None = None) -> Any:
    """End whatever runs that died left behind. Failed where something could not be ended or not be reached.

    Args:
        runs: Where run directories lie; chaosday-runs by default.
        targets: Experiments, or files with their 'targets', on which every lease is ended, whoever armed it.
    """
    root = runs or runs_root()
    given = {name: each for file in targets or [] for name, each in load_targets(file).items()}
    # The first run of all makes the folder; one that somebody names has to be there.
    looked = runs is not None or root.is_dir()
    did = recover_runs(root) + conclude_runs(root, given) if looked else []
    for file in targets or []:
        did += recover_targets(file)
    create_table_artifact(
        markdown_cells(
            {"ok": each.ok, "run": each.run, "fault": each.fault, "on": each.target, "": each.words} for each in did
        ),
        key="chaosday-recover",
        description="What was left, and what became of it",
    )
    failed = [line for each, line in zip(did, words(did), strict=False) if not each.ok]
    return Failed(message="; ".join(failed)[:1000]) if failed else Completed(message=f"{len(did)} dealt with")
