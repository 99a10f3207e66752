"""The pauses of a game day: a person says go, in Prefect or at the terminal, and what is said is kept as notes."""

from __future__ import annotations

from collections.abc import Callable

import click
from prefect import pause_flow_run
from prefect.exceptions import FlowPauseTimeout
from prefect.input import RunInput
from pydantic import Field

from chaosday.drills.gameday.board import Board, action_in
from chaosday.drills.gameday.day import Phase
from chaosday.errors import UsageError
from chaosday.record.foreign_words import in_markdown
from chaosday.reporting.terminal import say
from flows.orders import our_pause

Pause = Callable[[Phase, Board], str]
"""Waits before a phase; returns why the day ends here, empty to go on."""


class Go(RunInput):
    """What a person fills in at Resume."""

    go: bool = True
    who: str = ""
    notes: list[str] = Field(default=[], title="Notes", description="What was seen so far, a line each")
    action_items: list[str] = Field(default=[], title="Action items", description="OWNER: WHAT by DAY, a line each")


def in_prefect(patience_s: int) -> Pause:
    """Pause the flow run until it is resumed with the form; no answer within ``patience_s`` ends the day."""

    def pause(phase: Phase, board: Board) -> str:
        words = f"**{in_markdown(phase.name)}** is next. {in_markdown(phase.instructions)} Start it?"
        try:
            with our_pause():
                said = pause_flow_run(wait_for_input=Go.with_initial_data(description=words), timeout=patience_s)
        except FlowPauseTimeout:
            return f"nobody said go to {phase.name} within {patience_s} s"
        return taken(said, phase, board)

    return pause


def at_terminal(phase: Phase, board: Board) -> str:
    """Lines until an empty one: notes, ``action OWNER: WHAT by DAY``, or ``stop``."""
    say("")
    say(f"{phase.name}: {phase.instructions}")
    say("Empty line: go. 'stop': end the day. 'action OWNER: WHAT by DAY'. Anything else is kept as a note.")
    while True:
        try:
            line = str(click.prompt(">", default="", show_default=False, prompt_suffix=" ")).strip()
        except click.Abort:
            return f"nobody said go to {phase.name}"
        if not line:
            return ""
        if line == "stop":
            return f"stopped at the terminal before {phase.name}"
        if not line.startswith("action "):
            board.note("terminal", line)
            continue
        try:
            board.act(action_in(line.removeprefix("action ")))
        except UsageError as error:
            say(error)


def without(phase: Phase, board: Board) -> str:
    """Go on at once."""
    return ""


def taken(said: Go, phase: Phase, board: Board) -> str:
    """Keep what a form says. An item without an owner is kept as a note: a form cannot be asked again."""
    for words in filter(str.strip, said.notes):
        board.note(said.who, words)
    for words in filter(str.strip, said.action_items):
        try:
            board.act(action_in(words))
        except UsageError:
            board.note(said.who, f"action item without an owner: {words}")
    return "" if said.go else f"{said.who.strip() or 'somebody'} said no to {phase.name}"
