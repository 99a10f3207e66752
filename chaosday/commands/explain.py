"""``chaosday explain``: what happened in a run, and why its verdict is what it is."""

from __future__ import annotations

from pathlib import Path

import click

from chaosday.explaining import explain
from chaosday.run_directory import RunDirectory


@click.command("explain", short_help="What happened in a run, in words, and why its verdict.")
@click.argument("run", type=click.Path(path_type=Path))
def command(run: Path) -> int:
    """Tell what RUN did, act by act, from its journal, and what its verdict rests on."""
    for line in explain(RunDirectory.open(run)):
        click.echo(line)
    return 0
