"""``chaosday flag``: claims of the teams on a game day, observers' notes, action items, and the seals' check."""

from __future__ import annotations

from pathlib import Path

import click

from chaosday.clock import iso
from chaosday.drills.gameday.board import STAGES, ActionItem, Board, Claim, Stage
from chaosday.errors import EvidenceMissing
from chaosday.record.run_directory import RunDirectory
from chaosday.reporting.terminal import say

RUN = click.option(
    "--run", type=click.Path(path_type=Path, file_okay=False), help="The game day's run directory; else the newest."
)


@click.group("flag", short_help="Capture the flag on a game day: claim, note, action, board, verify.")
def command() -> None:
    """What teams and observers say while a game day runs."""


@command.command("claim")
@click.argument("stage", type=click.Choice(STAGES))
@click.option("--team", required=True)
@click.option("--where", default="", help="The place; needed to localise. 'chaosday flag board' lists them.")
@click.argument("words", required=False, default="")
@RUN
def claim(stage: Stage, team: str, where: str, words: str, run: Path | None) -> int:
    """Claim that your team has detected that something is wrong, localised it, or mitigated it."""
    put = Board.of(run).claim(Claim(team=team.strip(), stage=stage, where=where.strip(), words=words))
    say(f"claim {put.seq} of {put.team} at {iso(put.at_ns)}: {put.stage} {put.where}".rstrip())
    return 0


@command.command("note")
@click.argument("words")
@click.option("--by", default="", help="Who writes.")
@RUN
def note(words: str, by: str, run: Path | None) -> int:
    """Keep what you saw, with the time."""
    Board.of(run).note(by, words)
    return 0


@command.command("action")
@click.argument("what")
@click.option("--owner", required=True, help="Who does it.")
@click.option("--due", default="", help="Until when.")
@RUN
def action(what: str, owner: str, due: str, run: Path | None) -> int:
    """Keep an action item; it has an owner."""
    Board.of(run).act(ActionItem(owner=owner, what=what, due=due))
    return 0


@command.command("board")
@RUN
def board(run: Path | None) -> int:
    """Show everything on the board; nothing on it tells what the flags are before they are revealed."""
    for record in Board.of(run).records():
        said = ", ".join(f"{name} {value}" for name, value in record.data.items() if value not in ("", [], None))
        say(f"{iso(record.wall_ns)} {record.event} {said}")
    return 0


@command.command("verify")
@RUN
def verify(run: Path | None) -> int:
    """Hash the revealed flags again, compare them with the commitments, and score the claims again."""
    from chaosday.drills.gameday.kind import COMMITMENTS, GAME
    from chaosday.drills.gameday.scoring import PlayedFlag, score
    from chaosday.drills.gameday.sealing import Sealed, broken

    shown = Board.of(run)
    directory = RunDirectory(shown.path.parent)
    game, sealed = directory.read_json(GAME), directory.read_json(COMMITMENTS)["sha256"]
    on_board: list[str] = next((r.data["sha256"] for r in shown.records() if r.event == "sealed"), [])
    if game["revealed"] is None:
        raise EvidenceMissing(f"{directory.run}: no flags were sealed")
    wrong = broken(on_board, Sealed.model_validate(game["revealed"]))
    played = [PlayedFlag.model_validate(flag) for flag in game["played"]]
    again = [team.model_dump(mode="json") for team in score(played, shown.claims())]
    if wrong or sealed != on_board or again != game["scores"]:
        say(f"NOT what was sealed: flags {wrong}" if wrong else "NOT what the board says")
        return 1
    say(f"{len(on_board)} flags are what was sealed, and the scores of {len(again)} teams follow from the board")
    return 0
