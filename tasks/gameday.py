"""The verbs of a game day as tasks. Nothing that is shown before the end tells which flags were drawn."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.artifacts import create_table_artifact

from chaosday.drills.gameday.run import GameDayRun
from chaosday.reporting.gameday_page import write_page
from tasks.settings import ACT


@task(name="readiness", **ACT)
def check(run: GameDayRun) -> bool:
    """What is missing, as a table in the UI."""
    if gaps := run.check():
        create_table_artifact(
            [gap.model_dump() for gap in gaps],
            key=f"chaosday-missing-{run.directory.token}",
            description="The game day may not start: this is missing",
        )
    return run.ready


@task(name="seal the flags", **ACT)
def seal(run: GameDayRun) -> None:
    """The commitments to the flags, before the first phase."""
    create_table_artifact(
        [{"flag": n, "sha256": digest} for n, digest in enumerate(run.seal(), start=1)],
        key=f"chaosday-sealed-{run.directory.token}",
        description="Commitments to the flags; revealed after the end",
    )


@task(name="hunt", **ACT)
def hunt(run: GameDayRun) -> None:
    """All flags in turn, each undone before the next."""
    run.hunt()


@task(name="reveal and score", **ACT)
def reveal(run: GameDayRun) -> dict[str, Any]:
    """Open the seals, score the claims, write the page, and show the score in the UI."""
    game = run.reveal()
    write_page(run.directory, game)
    names = {flag["number"]: flag["name"] for flag in game["played"]}
    rows = [
        {k: v for k, v in flag.items() if k != "flag"} | {"flag": f"{flag['flag']}: {names[flag['flag']]}"}
        for team in game["scores"]
        for flag in team["flags"]
    ]
    if rows:
        create_table_artifact(rows, key=f"chaosday-score-{run.directory.token}", description="Capture the flag: score")
    return game
