"""The game day, as a flow with human pauses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from blocks.guardrails import Guardrails
from chaosday.drills.gameday.board import Board
from chaosday.drills.gameday.day import GameDay, Phase
from chaosday.drills.gameday.kind import GameDayKind
from chaosday.running.run import Run
from flows.approval import PATIENCE_S
from flows.attempt import run_flow
from flows.phases import Pause, at_terminal, in_prefect, without
from flows.pipeline import Asked, Turns, carried_out

PAUSE_S = 3600
CLOSING = Phase(name="the end", instructions="Last notes and action items; then the flags are revealed.")


@run_flow(name="game day", flow_run_name="{day.title}")
def gameday(
    day: GameDay,
    directory: Path | None = None,
    pauses: Literal["prefect", "terminal", "none"] = "prefect",
    pause_wait_s: int = PAUSE_S,
    guardrails: Guardrails | None = None,
    requested_by: str = "",
    approval_wait_s: int = PATIENCE_S,
) -> Any:
    """Check that everything is known, hide sealed flags, let people find and mitigate them, and score it.

    Args:
        day: Systems, people, abort criteria, phases, flags, outages.
        directory: The run directory that takes the evidence; a new one under chaosday-runs by default.
        pauses: Where a person says go before each phase.
        pause_wait_s: How long each pause in Prefect waits, in seconds, before the day ends.
        guardrails: What runs may do here; without them only production is refused.
        requested_by: Who asks. Faults that need a second person wait for somebody else's consent in the UI.
        approval_wait_s: How long they wait, in seconds.
    """
    ask: Pause = {"prefect": in_prefect(pause_wait_s), "terminal": at_terminal, "none": without}[pauses]
    kind = GameDayKind(day)
    hunt = next((n for n, phase in enumerate(day.phases) if phase.kind == "hunt"), len(day.phases) - 1)

    def briefing(run: Run) -> None:
        """Up to the hunt, which begins when it was said go to."""
        run.pause(lambda: _phases(run, kind, day.phases[: hunt + 1], ask))

    def debriefing(run: Run) -> None:
        """It has ended when somebody says so: what it decided is on the board by then."""
        if run.ready:
            run.pause(lambda: _phases(run, kind, day.phases[hunt + 1 :], ask))
        if run.ready and any(phase.pause for phase in day.phases):
            run.pause(lambda: _closing(run, ask))

    asked = Asked(guardrails, requested_by, approval_wait_s)
    return carried_out(kind, directory, asked, turns=Turns(briefing, debriefing))


def _phases(run: Run, kind: GameDayKind, phases: Sequence[Phase], ask: Pause) -> None:
    """Phase after phase, each after its pause; nothing is hurt while anybody waits for an answer."""
    board = Board.of(run.directory.path)
    for phase in phases:
        if phase.pause and (why := ask(phase, board)):
            run.stop(why)
        if not run.ready:
            return
        kind.begin(run, phase)


def _closing(run: Run, ask: Pause) -> None:
    ask(CLOSING, Board.of(run.directory.path))
