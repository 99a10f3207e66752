"""``chaosday campaign``: what many runs say together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from chaosday.campaign.campaigning import Series, runs_under, series_of
from chaosday.campaign.coverage import EXPIRES_DAYS, Covered, coverage
from chaosday.clock import SystemClock
from chaosday.errors import EvidenceMissing
from chaosday.model.base import Model
from chaosday.record.inputs import InputPath
from chaosday.record.outputs import claim, write_output
from chaosday.record.run_directory import runs_root
from chaosday.reporting.terminal import say, say_json


@click.command("campaign", short_help="What many runs say together: trend, pooled bounds, coverage.")
@click.argument("folders", nargs=-1, type=InputPath())
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the page to this file.")
@click.option("--json", "as_json", is_flag=True, help="Series and coverage as JSON.")
@click.option(
    "--expires-days", default=EXPIRES_DAYS, show_default=True, type=click.FloatRange(0, min_open=True),
    help="How old a proof may be and still count.",
)  # fmt: skip
def command(folders: tuple[Path, ...], html: Path | None, as_json: bool, expires_days: float) -> int:
    """Read every finished run below FOLDERS (by default chaosday-runs), experiment by experiment."""
    claim(html, [])
    runs = runs_under(folders or (runs_root(),))
    series, covered = series_of(runs), coverage(runs, SystemClock(), expires_days)
    if not series:
        raise EvidenceMissing(f"no finished run below {', '.join(map(str, folders or (runs_root(),)))}")
    if html is not None:
        from chaosday.reporting.campaign_page import page

        write_output(html, page(series, covered, expires_days))
    if as_json:
        found: dict[str, Sequence[Model]] = {"series": series, "coverage": covered}
        said = {name: [each.model_dump(mode="json") for each in listed] for name, listed in found.items()}
        say_json(said)
        return 0
    for each in series:
        say(_words(each))
    for line in _gaps(covered):
        say(line)
    return 0


def _gaps(covered: list[Covered]) -> list[str]:
    """What is not covered now, a line for each fault on each system."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for each in covered:
        if each.state != "fresh":
            found.setdefault((each.state, each.fault, each.system), []).append(each.check)
    words = {"never": "never proven", "expired": "expired"}
    return [f"{words[state]}: {fault} on {system}, by {', '.join(by)}" for (state, fault, system), by in found.items()]


def _words(series: Series) -> str:
    marks = {"pass": "+", "violated": "x", "inconclusive": "?", "revert_failed": "!"}
    row = "".join("o" if run.placebo and run.outcome == "pass" else marks[run.outcome] for run in series.runs)
    bound = series.loss_upper_bound_95
    said = "" if bound is None else f"; {series.lost:,} of {series.of:,} rows lost or stale, at most {bound:.3%} (95 %)"
    return f"{series.title}: {row}{said}"
