"""The janitor: ends what dead runs left, from their journals and from the targets themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.states import Completed, Failed

from chaosday.model.experiment import load_targets
from chaosday.model.lease import LeaseHolder
from chaosday.record.run_directory import runs_root
from chaosday.undo.fleet import recover_hosts
from chaosday.undo.recovery import Recovered, journals_under, recover, words
from tasks.settings import ACT


@task(name="recover runs", **ACT)
def recover_runs(runs: Path) -> list[Recovered]:
    """End what the journals under ``runs`` hold open; a run that lives is left alone."""
    return recover(journals_under(runs))


@task(name="recover targets", **ACT)
def recover_targets(file: Path) -> list[Recovered]:
    """End every lease on the targets of a file, side by side, past those that do not answer."""
    holders = {name: each for name, each in load_targets(file).items() if LeaseHolder in each.capabilities()}
    return recover_hosts(holders)


@flow(name="recover", retries=0, persist_result=False)
def recovery(runs: Path | None = None, targets: list[Path] | None = None) -> Any:
    """End whatever runs that died left behind. Failed where something could not be ended or not be reached.

    Args:
        runs: Where run directories lie; chaosday-runs by default.
        targets: Experiments, or files with their 'targets', on which every lease is ended, whoever armed it.
    """
    did = recover_runs(runs or runs_root())
    for file in targets or []:
        did += recover_targets(file)
    create_table_artifact(
        [{"ok": each.ok, "run": each.run, "fault": each.fault, "on": each.target, "": each.words} for each in did],
        key="chaosday-recover",
        description="What was left, and what became of it",
    )
    failed = [line for each, line in zip(did, words(did), strict=False) if not each.ok]
    return Failed(message="; ".join(failed)[:1000]) if failed else Completed(message=f"{len(did)} dealt with")
