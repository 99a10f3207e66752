"""``chaosday gameday``: a game day from its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from chaosday.clock import SystemClock
from chaosday.drills.gameday.day import load_day
from chaosday.drills.gameday.kind import GAME, GameDayKind
from chaosday.drills.gameday.readiness import gaps
from chaosday.record.foreign_words import one_line
from chaosday.record.inputs import InputPath
from chaosday.record.run_directory import RunDirectory, runs_root
from chaosday.reporting.terminal import plain, say, say_json
from flows.run_one import Runner
from flows.terminal import console


@click.command("gameday", short_help="Check readiness, hide sealed flags, and score who finds them.")
@click.argument("file", type=InputPath())
@click.option("--check", "only_check", is_flag=True, help="Only say what is missing from FILE; reach nothing.")
@click.option(
    "--pauses",
    type=click.Choice(["terminal", "prefect", "none"]),
    default="terminal",
    show_default=True,
    help="Where a person says go before each phase.",
)
@click.option("--json", "as_json", is_flag=True, help="The game as JSON on standard output at the end.")
def command(file: Path, only_check: bool, pauses: Literal["terminal", "prefect", "none"], as_json: bool) -> int:
    """Play the game day in FILE. Exit code 0: played to its end; 2: something is missing or it was stopped; 3: a flag
    could not be undone."""
    day = load_day(file)
    missing = gaps(day)
    for gap in missing:
        say(f"missing: {gap.line}", err=as_json)
    if only_check or missing:
        say("ready, on paper" if not missing else f"not ready: {len(missing)} things are missing", err=as_json)
        return 2 if missing else 0
    directory = RunDirectory.create(runs_root(), day.title, SystemClock())
    say(f"run: {directory.path}", err=as_json)
    with Runner() as runner:
        verdict = runner.run(GameDayKind(day), directory, pauses=pauses)
    game = directory.read_json(GAME)
    if as_json:
        say_json(game)
    else:
        _show(game, directory)
    return verdict.exit_code


def _show(game: dict[str, Any], directory: RunDirectory) -> None:
    for reason in game["reasons"]:
        console.print(plain("  ", one_line(reason)), soft_wrap=True)
    for team in game["scores"]:
        count = f"{team['captured']} of {len(team['flags'])} flags captured, {team['false_alarms']} false alarms"
        console.print(plain(f"{one_line(team['team'])}: {team['points']:g} points, {count}"), soft_wrap=True)
    console.print(plain(f"report: {directory.path / 'report.html'}"), soft_wrap=True)
