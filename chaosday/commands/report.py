"""``chaosday report``: the page of a run, made again from its evidence."""

from __future__ import annotations

from pathlib import Path

import click

from chaosday.reporting.page import write_report
from chaosday.run_directory import RunDirectory


@click.command("report", short_help="Write a run's report again from its evidence.")
@click.argument("run", type=click.Path(path_type=Path))
def command(run: Path) -> int:
    """Write RUN/report.html from what the run directory holds, and print its path."""
    click.echo(write_report(RunDirectory.open(run)))
    return 0
