"""``chaosday practice``: who practised what, who is next, and what people did that no run shows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from chaosday.clock import SystemClock
from chaosday.drills.gameday.practice_book import STEPS, Entry, PracticeBook, Status, actions, ideas, pages
from chaosday.errors import UsageError
from chaosday.record.inputs import InputPath
from chaosday.record.run_directory import runs_root
from chaosday.reporting.terminal import say, say_json

WHO = click.option("--who", required=True, help="By name, as the game day's file has it.")
SYSTEM = click.option("--system", required=True, help="The critical system, as the game day's file has it.")


@click.group("practice", short_help="Who practised what and who is next; pages, access, actions, ideas.")
def command() -> None:
    """People beside systems: what runs show by the rota, and what is written down by hand.

    The book lies beside the runs, in practice.jsonl."""


@command.command("show")
@click.argument("file", type=InputPath())
@click.option("--surprise", type=click.IntRange(0), help="A seed: the next drill's moment is drawn from it.")
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON.")
def show(file: Path, surprise: int | None, as_json: bool) -> int:
    """Show for each person and system of FILE (a game day) the last drill, whose turn it is, and what is open."""
    from chaosday.campaign.catalogue import catalogue_of
    from chaosday.drills.gameday.day import load_day
    from chaosday.drills.gameday.practice import practised, proposed, rota_of

    clock, day = SystemClock(), load_day(file)
    entries, runs = PracticeBook(runs_root()).entries(), catalogue_of([runs_root()]).runs
    shifts = rota_of(day, file.parent)
    known = practised(day, shifts, runs, entries, clock)
    following = proposed(day, shifts, known, clock, surprise)
    titles, proven = {run.title for run in runs if not run.placebo}, {run.title for run in runs if run.counts}
    found: dict[str, list[Any]] = {
        "practised": known,
        "pages": pages(entries),
        "access": [each for each in entries if each.event == "access"],
        "actions": actions(entries, datetime.fromtimestamp(clock.wall_ns() / 1e9, UTC).date()),
        "ideas": ideas(entries, titles, proven),
    }
    if as_json:
        said = {name: [each.model_dump(mode="json") for each in listed] for name, listed in found.items()}
        say_json({**said, "next": following.model_dump(mode="json") if following else None})
        return 0
    for line in _lines(found):
        say(line)
    say(following.words if following else "everybody is fresh")
    if following and following.at:
        say(f"at: {following.at}")
    return 0


def _lines(found: dict[str, list[Any]]) -> Iterator[str]:
    for each in found["practised"]:
        yield each.words
    for page in found["pages"]:
        after = (
            "nobody acknowledged it" if page.after_s is None else f"acknowledged by {page.by} after {page.after_s} s"
        )
        yield f"paged: {page.paged} about {page.system} at {page.at}: {after}"
    for each in found["access"]:
        tried = ", ".join(f"{step}: {'went' if went else 'FAILED'}" for step, went in each.steps.items())
        yield f"access: {each.person} to {each.system} on {each.moment:%Y-%m-%d}: {tried}"
    for each in found["actions"]:
        again = f"; then run again: {each.experiment}" if each.experiment else ""
        yield f"{each.state} action {each.seq}: {each.owner}: {each.what}, by {each.due}{again}"
    for each in found["ideas"]:
        yield f"idea {each.seq}, {each.status}: {each.words} (who would notice: {each.notices or 'nobody said'})"


@command.command("paged")
@WHO
@SYSTEM
def paged(who: str, system: str) -> int:
    """Keep that somebody was paged, now."""
    return _kept(Entry(event="paged", person=who, system=system))


@command.command("acknowledged")
@WHO
@SYSTEM
def acknowledged(who: str, system: str) -> int:
    """Keep that somebody acknowledged the page about a system, now."""
    return _kept(Entry(event="acknowledged", person=who, system=system))


@command.command("tabletop")
@WHO
@SYSTEM
@click.argument("words")
def tabletop(who: str, system: str, words: str) -> int:
    """Keep what was played at a table (a lost laptop, a closed office, a vendor gone, the manual fallback)."""
    return _kept(Entry(event="tabletop", person=who, system=system, words=words))


@command.command("access")
@WHO
@SYSTEM
@click.option("--went", multiple=True, type=click.Choice(STEPS), help="What you tried, and it went.")
@click.option("--failed", multiple=True, type=click.Choice(STEPS), help="What you tried, and it did not go.")
def access(who: str, system: str, went: tuple[str, ...], failed: tuple[str, ...]) -> int:
    """Keep what you tried for yourself with your own login. Exits 2 where something did not go or was not tried."""
    if both := set(went) & set(failed):
        raise UsageError(f"{', '.join(sorted(both))}: it went or it failed, not both")
    steps = dict.fromkeys(went, True) | dict.fromkeys(failed, False)
    if not steps:
        raise UsageError(f"say what you tried: --went or --failed, of {', '.join(STEPS)}")
    _kept(Entry(event="access", person=who, system=system, steps=steps))
    left = [step for step in STEPS if not steps.get(step)]
    if left:
        say(f"{who} is not known to be able to: {', '.join(left)}")
    return 2 if left else 0


@command.command("action")
@click.argument("what")
@click.option("--owner", required=True, help="Who does it.")
@click.option("--due", required=True, help="Until which day, YYYY-MM-DD.")
@click.option("--experiment", default="", help="The title of the experiment that found it, to be run again.")
def action(what: str, owner: str, due: str, experiment: str) -> int:
    """Keep something to be done, with who does it until when."""
    try:
        day = date.fromisoformat(due)
    except ValueError:
        raise UsageError(f"{due!r} is no day: write it as 2026-10-31") from None
    return _kept(Entry(event="action", person=owner, words=what, due=day, experiment=experiment))


@command.command("done")
@click.argument("number", type=int)
@WHO
def done(number: int, who: str) -> int:
    """Keep that the action with this NUMBER is done."""
    return _kept(Entry(event="done", person=who, of=number))


@command.command("idea")
@click.argument("words")
@WHO
@click.option("--notices", default="", help="Who would notice, and by what.")
def idea(words: str, who: str, notices: str) -> int:
    """Keep an idea: what could break?"""
    return _kept(Entry(event="idea", person=who, words=words, notices=notices))


@command.command("judge")
@click.argument("number", type=int)
@click.argument("status", type=click.Choice(["drafted", "never"]))
@WHO
@click.option("--experiment", default="", help="The title of the experiment that was drafted.")
def judge(number: int, status: Status, who: str, experiment: str) -> int:
    """Say what becomes of an idea: an experiment was drafted, or it never will be. Its runs say the rest."""
    return _kept(Entry(event="judged", person=who, of=number, status=status, experiment=experiment))


def _kept(entry: Entry) -> int:
    kept = PracticeBook(runs_root()).write(entry)
    say(f"{kept.event} {kept.seq} of {kept.person} at {kept.moment:%Y-%m-%d %H:%M:%S} UTC")
    return 0
