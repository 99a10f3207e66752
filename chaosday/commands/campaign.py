"""``chaosday campaign``: what many runs say together."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from chaosday.campaigning import Series, series_under
from chaosday.errors import EvidenceMissing
from chaosday.run_directory import runs_root


@click.command("campaign", short_help="What many runs say together: trend, pooled bounds, coverage.")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the page to this file.")
@click.option("--json", "as_json", is_flag=True, help="The series as JSON.")
def command(folders: tuple[Path, ...], html: Path | None, as_json: bool) -> int:
    """Read every finished run below FOLDERS (by default chaosday-runs), experiment by experiment."""
    series = series_under(folders or (runs_root(),))
    if not series:
        raise EvidenceMissing(f"no finished run below {', '.join(map(str, folders or (runs_root(),)))}")
    if html is not None:
        from chaosday.reporting.campaign_page import page

        html.write_text(page(series))
    if as_json:
        click.echo(orjson.dumps([each.model_dump(mode="json") for each in series]))
        return 0
    for each in series:
        click.echo(_words(each))
    return 0


def _words(series: Series) -> str:
    marks = {"pass": "+", "violated": "x", "inconclusive": "?", "revert_failed": "!"}
    row = "".join("o" if run.placebo and run.outcome == "pass" else marks[run.outcome] for run in series.runs)
    bound = series.loss_upper_bound_95
    said = "" if bound is None else f"; {series.lost:,} of {series.of:,} rows lost or stale, at most {bound:.3%} (95 %)"
    return f"{series.title}: {row}{said}"
