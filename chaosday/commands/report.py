"""``chaosday report``: a run for people and for machines, made again from its evidence."""

from __future__ import annotations

from pathlib import Path

import click

from chaosday.errors import UsageError
from chaosday.record.inputs import refuse_special
from chaosday.record.outputs import claim, write_output
from chaosday.record.run_directory import RunDirectory
from chaosday.reporting.junit import as_json, as_junit
from chaosday.reporting.page import write_report
from chaosday.reporting.several import each_of
from chaosday.reporting.terminal import say, say_json


@click.command("report", short_help="Write a run's report again from its evidence.")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Also write JUnit XML to this file.")
@click.option("--json", "json_wanted", is_flag=True, help="Plan, verdict and findings as one JSON object.")
def command(runs: tuple[Path, ...], junit: Path | None, json_wanted: bool) -> int:
    """Write RUN/report.html from what the run directory holds, and print its path.

    A run whose evidence no longer matches its hashes is reported as inconclusive (exit 2), and nothing is written:
    a new report would seal what was altered."""
    if junit is not None and len(runs) > 1:
        raise UsageError("--junit writes one run: name one")
    claim(junit, [])

    def report(run: Path) -> int:
        refuse_special(run)
        directory = RunDirectory.open(run)
        if altered := directory.altered():
            say(f"{run}: inconclusive: evidence altered: {', '.join(altered[:5])}", err=True)
            return 2
        page = write_report(directory)
        if junit is not None:
            write_output(junit, as_junit(directory))
        if json_wanted:
            say_json(as_json(directory))
        else:
            say(page)
        return 0

    return each_of(runs, report, shown=str, unread=_unread if json_wanted else None)


def _unread(run: Path, words: str) -> dict[str, object]:
    return {"run": str(run), "verdict": None, "error": words}
