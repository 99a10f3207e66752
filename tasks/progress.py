"""How far a run is, as a bar in the UI."""

from __future__ import annotations

from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from chaosday.record.run_directory import RunDirectory

# Nothing is said between inject and rollback: an API that does not answer must not stand between a fault and its end.
DONE = {"preflight": 10.0, "baseline": 30.0, "rollback": 60.0, "verify": 80.0, "prove": 95.0, "report": 100.0}
_bars: dict[str, UUID] = {}


def progressed(directory: RunDirectory, phase: str) -> None:
    """Say that a phase is over; the bar is made at the first one."""
    done, words = DONE[phase], f"{phase} is over"
    if bar := _bars.get(directory.run):
        update_progress_artifact(bar, done, description=words)
        return
    made = create_progress_artifact(done, key=f"chaosday-progress-{directory.token}", description=words)
    _bars[directory.run] = made
