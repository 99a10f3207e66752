"""``chaosday report``: a run for people and for machines, made again from its evidence."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from chaosday.record.outputs import write_output
from chaosday.record.run_directory import RunDirectory
from chaosday.reporting.junit import as_json, as_junit
from chaosday.reporting.page import write_report


@click.command("report", short_help="Write a run's report again from its evidence.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Also write JUnit XML to this file.")
@click.option("--json", "json_wanted", is_flag=True, help="Plan, verdict and findings as one JSON object.")
def command(run: Path, junit: Path | None, json_wanted: bool) -> int:
    """Write RUN/report.html from what the run directory holds, and print its path."""
    directory = RunDirectory.open(run)
    page = write_report(directory)
    if junit is not None:
        write_output(junit, as_junit(directory))
    click.echo(orjson.dumps(as_json(directory)) if json_wanted else page)
    return 0
