"""``chaosday known``: what a pipeline drill found, as a file of causes that do not fail again."""

from __future__ import annotations

from pathlib import Path

import click

from chaosday.errors import UsageError
from chaosday.record.inputs import refuse_special
from chaosday.record.outputs import claim, write_output
from chaosday.record.run_directory import RunDirectory
from chaosday.reporting.terminal import say


@click.command("known", short_help="Write the causes that a pipeline drill found, so that only new ones fail.")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def command(run: Path, file: Path) -> int:
    """Write to FILE the causes that RUN, a pipeline drill, found.

    A drill whose field 'known' names FILE tells them and fails for others only. An older FILE is replaced. Of a run
    whose evidence no longer matches its hashes nothing is written.
    """
    from chaosday.drills.pipelines.known import text_of

    refuse_special(run)
    claim(file, [run])
    directory = RunDirectory.open(run)
    if altered := directory.altered():
        raise UsageError(f"{run}: evidence altered: {', '.join(altered[:5])}")
    write_output(file, text_of(directory))
    say(file)
    return 0
