"""``chaosday campaign``: what many runs say together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from chaosday.campaign.campaigning import Series, series_of
from chaosday.campaign.catalogue import Catalogue, catalogue_of
from chaosday.campaign.coverage import EXPIRES_DAYS, Covered, coverage
from chaosday.campaign.drilled import drilled, todays
from chaosday.campaign.restored import recovery_words, restored
from chaosday.clock import SystemClock
from chaosday.drills.gameday.systems import critical_systems
from chaosday.errors import EvidenceMissing
from chaosday.model.base import Model
from chaosday.record.inputs import InputPath
from chaosday.record.outputs import claim, write_output
from chaosday.record.run_directory import runs_root
from chaosday.reporting.terminal import say, say_json

_OF_A_RUN = ("run", "id", "began", "outcome", "lost", "of", "placebo", "words", "pruned")
SHOWN = 60
"""Runs of a series that are marked one by one."""


@click.command("campaign", short_help="What many runs say together: trend, pooled bounds, coverage.")
@click.argument("folders", nargs=-1, type=InputPath())
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the page to this file.")
@click.option("--json", "as_json", is_flag=True, help="Series and coverage as JSON.")
@click.option(
    "--expires-days", default=EXPIRES_DAYS, show_default=True, type=click.FloatRange(0, min_open=True),
    help="How old a proof may be and still count.",
)  # fmt: skip
@click.option("--systems", "systems_file", type=InputPath(), help="A game day: its critical systems, drilled or not.")
@click.option("--unsigned", is_flag=True, help="Count runs too that were not signed with this worker's key.")
@click.option("--rebuild", is_flag=True, help="Read every run again, whatever the catalogue says.")
def command(
    folders: tuple[Path, ...],
    html: Path | None,
    as_json: bool,
    expires_days: float,
    systems_file: Path | None,
    unsigned: bool,
    rebuild: bool,
) -> int:
    """Read every finished run below FOLDERS (by default chaosday-runs), experiment by experiment.

    A catalogue of them is kept beside them and made again from them whenever it is missing. A run counts once, however
    often it was copied; what is not ours, was altered, or was signed with another key is left out, and told of."""
    claim(html, [systems_file] if systems_file else [])
    critical = critical_systems(systems_file) if systems_file else []
    catalogue = catalogue_of(folders or (runs_root(),), unsigned=unsigned, rebuild=rebuild)
    series, covered = series_of(catalogue.runs), coverage(catalogue.runs, SystemClock(), expires_days)
    systems = drilled(critical, catalogue.runs, SystemClock())
    restores = restored(catalogue.runs, SystemClock(), expires_days)
    for line in _left_out(catalogue):
        say(line, err=True)
    if not series:
        raise EvidenceMissing(f"no finished run below {', '.join(map(str, folders or (runs_root(),)))}")
    if html is not None:
        from chaosday.reporting.campaign_page import links_to, page

        links = links_to(catalogue.runs, catalogue.places, html.parent)
        write_output(html, page(series, covered, expires_days, systems, links, restores))
    if as_json:
        found: dict[str, Sequence[Model]] = {"series": series, "coverage": covered, "systems": systems}
        found["restored"] = restores
        said = {name: [_plain(each) for each in listed] for name, listed in found.items()}
        left = {str(path): why for path, why in catalogue.left_out.items()}
        say_json({**said, "copies": [str(each) for each in catalogue.copies], "left_out": left})
        return 0
    for each in series:
        say(_words(each))
    for each_system in systems:
        say(each_system.words)
    for each_restored in restores:
        say(each_restored.words)
    for line in _gaps(covered):
        say(line)
    return 0


def _plain(each: Model) -> dict[str, Any]:
    """A part of the answer as JSON; of a run what a trend needs, the catalogue has the rest."""
    plain = each.model_dump(mode="json", exclude={"runs"} if isinstance(each, Series) else None)
    if isinstance(each, Series):
        plain["runs"] = [run.model_dump(mode="json", include=set(_OF_A_RUN)) for run in each.runs]
    return plain


def _gaps(covered: list[Covered]) -> list[str]:
    """What is not covered now, a line for each fault on each system."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for each in todays(covered):
        if each.state != "fresh":
            found.setdefault((each.state, each.fault, each.system), []).append(each.check)
    words = {"never": "never proven", "expired": "expired"}
    return [f"{words[state]}: {fault} on {system}, by {', '.join(by)}" for (state, fault, system), by in found.items()]


def _left_out(catalogue: Catalogue) -> list[str]:
    """What lies there and does not count, a line each; of many alike the first, and how many there are."""
    reasons: dict[str, list[Path]] = {}
    for path, why in catalogue.left_out.items():
        reasons.setdefault(why, []).append(path)
    lines = [
        f"not counted: {paths[0]}: {why}{f' (and {len(paths) - 1:,} more)' if len(paths) > 1 else ''}"
        for why, paths in reasons.items()
    ]
    if copies := catalogue.copies:
        lines.append(f"not counted: {len(copies):,} copies of runs that are, the first of them {copies[0]}")
    return lines


def _words(series: Series) -> str:
    marks = {"pass": "+", "violated": "x", "inconclusive": "?", "revert_failed": "!"}
    shown = series.runs[-SHOWN:]
    row = "".join("o" if run.placebo and run.outcome == "pass" else marks[run.outcome] for run in shown)
    earlier = f"{len(series.runs) - SHOWN:,} earlier, then " if len(series.runs) > SHOWN else ""
    said = f"; {series.lost:,} of {series.of:,} rows lost or stale, {series.bound}" if series.bound else ""
    changed = f"; {series.change.words}" if series.change and series.change.significant else ""
    recovery = f"; {words}" if (words := recovery_words(series.runs)) else ""
    return f"{series.title}: {earlier}{row}{said}{recovery}{changed}"
