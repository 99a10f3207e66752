"""How far a run is, as a bar in the UI, and what its kind has to show, as tables."""

from __future__ import annotations

from uuid import UUID

from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact

from chaosday.record.run_directory import RunDirectory
from chaosday.running.run import Run
from tasks.telling import tell

# Nothing is said between inject and rollback: an API that does not answer must not stand between a fault and its end.
DONE = {"preflight": 10.0, "baseline": 30.0, "rollback": 60.0, "verify": 80.0, "prove": 95.0, "report": 100.0}
_bars: dict[str, UUID] = {}


def over(run: Run, verb: str) -> None:
    """Say that a verb is over, and show what there is to show of it."""
    tell(run, lambda: _progressed(run.directory, verb))
    for table in run.kind.tables(verb, run):
        key = f"chaosday-{table.name}-{run.directory.token}"
        tell(run, lambda table=table, key=key: create_table_artifact(table.rows, key=key, description=table.words))  # type: ignore[misc]


def _progressed(directory: RunDirectory, verb: str) -> None:
    """The bar is made at the first verb."""
    done, words = DONE[verb], f"{verb} is over"
    if bar := _bars.get(directory.run):
        update_progress_artifact(bar, done, description=words)
        return
    made = create_progress_artifact(done, key=f"chaosday-progress-{directory.token}", description=words)
    _bars[directory.run] = made
