"""What a person sees in the terminal: progress while it runs, a table at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from chaosday.judging.verdict import Verdict
from chaosday.progress import PHASES, Step, listening
from chaosday.record.foreign_words import one_line
from chaosday.record.run_directory import RunDirectory
from chaosday.reporting.terminal import console as console_for
from chaosday.reporting.terminal import plain
from chaosday.reporting.undo_words import undo_in_words

COLOURS = {"pass": "green", "violated": "red", "inconclusive": "yellow", "revert_failed": "magenta"}
console = console_for()


@contextmanager
def watching(*, quiet: bool, title: str = "") -> Iterator[None]:
    """Show each phase as it goes; nothing at all where nobody watches."""
    if quiet or not sys.stderr.isatty():
        with listening(_plain if not quiet else _silent):
            yield
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[title]}", markup=False),
        BarColumn(bar_width=28),
        TextColumn("{task.fields[phase]}", markup=False, style="bold"),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console_for(err=True), transient=True) as bars:
        bar = bars.add_task("starting", total=len(PHASES), title=one_line(title), phase="")

        def show(step: Step) -> None:
            share = step.done / step.total if step.total else 0.0
            done = PHASES.index(step.phase) + min(share, 1.0)
            rate = f" {step.acknowledged_per_s:,.0f} acknowledged/s" if step.acknowledged_per_s else ""
            bars.update(bar, completed=done, description=f"{one_line(step.words)}{rate}", phase=step.phase)

        with listening(show):
            yield


def _silent(step: Step) -> None:
    """Progress that nobody asked for."""


def _plain(step: Step) -> None:
    """One line per thing done, for logs: waiting is not repeated ten times a second."""
    if not step.total and step.words:
        # Progress that nobody reads any more must not end the run that it is about.
        with suppress(OSError):
            print(f"{step.phase}: {one_line(step.words)}", file=sys.stderr, flush=True)


def show_verdict(directory: RunDirectory, verdict: Verdict) -> None:
    """The verdict, why, and where the report is."""
    outcome = verdict.outcome.value
    console.print(plain((outcome, f"bold {COLOURS[outcome]}"), ": ", one_line(verdict.words)), soft_wrap=True)
    for reason in verdict.reasons[:10]:
        console.print(plain("  ", one_line(reason)), soft_wrap=True)
    console.print(plain(f"report: {directory.path / 'report.html'}"), soft_wrap=True)


def show_plan(plan: dict[str, Any], shortfalls: list[str]) -> None:
    """What would be touched, and how it would be undone."""
    console.print(plain((one_line(plan["title"]), "bold"), f": {one_line(plan['hypothesis'])}"), soft_wrap=True)
    for name, target in plan["targets"].items():
        console.print(plain(f"  target {one_line(name)}: {one_line(target['is']) or 'not reached'}"), soft_wrap=True)
    for fault in plan["faults"]:
        console.print(plain(f"  at {fault['at_s']:g} s ", (one_line(fault["fault"]["kind"]), "bold")), soft_wrap=True)
        undo = undo_in_words(fault["undo"], fault["fault"].get("target") or "the target")
        for name, words in (
            *(("hurts", each) for each in fault["affects"]),
            ("undone", undo),
            ("ends", f"by itself, {fault['ends_by_itself_after_s']:g} s after it began or was last renewed"),
        ):
            console.print(plain(f"    {name:7}", one_line(words)), soft_wrap=True)
    console.print(f"needs {plan['operations_needed']:,} acknowledged operations to see the loss rate it asks for")
    for reason in shortfalls:
        console.print(plain(("cannot run:", "yellow"), f" {one_line(reason)}"), soft_wrap=True)
