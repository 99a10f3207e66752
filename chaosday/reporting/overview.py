"""What ``chaosday`` says by itself: what is set up, what is overdue, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from chaosday.campaign.campaigning import series_of
from chaosday.campaign.catalogue import catalogue_of
from chaosday.campaign.coverage import coverage
from chaosday.campaign.drilled import to_do, todays
from chaosday.campaign.restored import restored
from chaosday.clock import Clock, SystemClock
from chaosday.record.run_directory import RUNS_VARIABLE, runs_root
from chaosday.reporting.terminal import say
from chaosday.safety.halting import HaltFile, halted_by

SHOWN = 7
FIRST_DAY = (
    ("see it find real data loss, and show real durability", "chaosday demo"),
    ("aim it at a database of yours", "chaosday new postgresql://user@host/database first.yaml"),
    ("ask what a database's settings can lose", "chaosday advise postgresql://user@host/database"),
    (
        "ask whether a pipeline may be killed and run again",
        "chaosday new --pipeline COMMAND --store ADDRESS drill.yaml",
    ),
)


def show_overview() -> None:
    """Print it; reads the runs of this folder, and touches nothing but their catalogue."""
    for line in overview(runs_root(), SystemClock()):
        say(line)


def overview(folder: Path, clock: Clock) -> Iterator[str]:
    """Line by line."""
    if said := halted_by([HaltFile()]):
        yield f"{said}; nothing starts before: chaosday resume"
    catalogue = catalogue_of([folder])
    if not catalogue.runs:
        yield f"No finished run in {folder} (${RUNS_VARIABLE} names another folder). To begin:"
        yield from (f"  {words}: {line}" for words, line in FIRST_DAY)
        yield "Every command: chaosday --help"
        return
    series = series_of(catalogue.runs)
    covered = coverage(catalogue.runs, clock)
    cells = todays(covered)
    fresh = sum(each.state == "fresh" for each in cells)
    last = catalogue.runs[-1]
    count = f"{len(catalogue.runs):,} runs of {len(series)} experiments"
    yield f"{folder}: {count}; the last, {last.title}, was {last.outcome}"
    yield f"{fresh} of {len(cells)} checks of a fault on a system were proven within 30 days, with today's version"
    lines = to_do(covered, [], series, restored(catalogue.runs, clock))
    yield "To do next:" if lines else "Nothing is overdue."
    yield from (f"  {line}" for line in lines[:SHOWN])
    if len(lines) > SHOWN:
        yield f"  and {len(lines) - SHOWN} more: chaosday campaign --html campaign.html"
    if catalogue.left_out:
        yield f"{len(catalogue.left_out)} folders are not counted; chaosday campaign says why"
    yield "What must not fail, drilled or not: chaosday campaign --systems YOUR-GAMEDAY.yaml"
