"""The game day, as a flow with human pauses."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from prefect import flow
from prefect.states import Completed, Failed

from chaosday.clock import SystemClock
from chaosday.drills.gameday.day import GameDay, Phase
from chaosday.drills.gameday.run import GameDayRun
from chaosday.record.run_directory import RunDirectory, runs_root
from flows.experiment import permission_for
from flows.phases import Pause, at_terminal, in_prefect, without
from tasks.gameday import check, hunt, reveal, seal

PAUSE_S = 3600
CLOSING = Phase(name="the end", instructions="Last notes and action items; then the flags are revealed.")


@flow(name="game day", flow_run_name="{day.title}", retries=0, persist_result=False)
def gameday(
    day: GameDay,
    directory: Path | None = None,
    pauses: Literal["prefect", "terminal", "none"] = "prefect",
    pause_wait_s: int = PAUSE_S,
) -> Any:
    """Check that everything is known, hide sealed flags, let people find and mitigate them, and score it.

    Args:
        day: Systems, people, abort criteria, phases, flags, outages.
        directory: The run directory that takes the evidence; a new one under chaosday-runs by default.
        pauses: Where a person says go before each phase.
        pause_wait_s: How long each pause in Prefect waits, in seconds, before the day ends.
    """
    kept = RunDirectory(directory) if directory else RunDirectory.create(runs_root(), day.title, SystemClock())
    ask: Pause = {"prefect": in_prefect(pause_wait_s), "terminal": at_terminal, "none": without}[pauses]
    with GameDayRun(day, kept, permission=permission_for(kept)) as run:
        if check(run):
            seal(run)
            play(run, ask)
        game = reveal(run)
    state = Completed if game["outcome"] == "pass" else Failed
    return state(name=game["outcome"], message="; ".join(game["reasons"])[:1000] or "played to its end")


def play(run: GameDayRun, ask: Pause) -> None:
    """Phase after phase, each after its pause; nothing is hurt while anybody waits for an answer."""
    for phase in run.day.phases:
        if phase.pause and (why := ask(phase, run.board)):
            run.stop(why)
        if not run.ready:
            return
        run.begin(phase)
        if phase.kind == "hunt":
            hunt(run)
    # The debriefing has ended when somebody says so: what it decided is on the board by then.
    if any(phase.pause for phase in run.day.phases):
        ask(CLOSING, run.board)
