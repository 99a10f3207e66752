"""``chaosday prove``: plant damage in copies of a run's evidence, and see which checks notice."""

from __future__ import annotations

from pathlib import Path

import click

from chaosday.clock import SystemClock
from chaosday.judging.proof import prove
from chaosday.judging.rejudging import checks_of
from chaosday.judging.sight import sight_of
from chaosday.record.inputs import InputPath
from chaosday.record.run_directory import RunDirectory
from chaosday.reporting.matrix import matrix_table
from chaosday.reporting.terminal import columns, console, plain, say, say_json


@click.command("prove", short_help="Plant damage in copies of a run's evidence and see which checks notice.")
@click.argument("run", type=InputPath())
@click.option("--budget-s", default=20.0, show_default=True, type=click.FloatRange(0, min_open=True))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
@click.option("--json", "as_json", is_flag=True, help="The kill matrix as JSON.")
def command(run: Path, budget_s: float, seed: int, as_json: bool) -> int:
    """Print the kill matrix of RUN: check x corruption. Exits 0 if every promised class was seen, 2 if not."""
    directory = RunDirectory.open(run)
    if altered := directory.altered():
        say(f"{run}: inconclusive: evidence altered: {', '.join(altered[:5])}", err=True)
        return 2
    matrix = prove(directory.evidence(), checks_of(directory), budget_s=budget_s, seed=seed, clock=SystemClock())
    sight = sight_of(matrix)
    if as_json:
        say_json(matrix.model_dump(mode="json"))
        return 0 if sight.proven else 2
    from rich.table import Table

    drawn = matrix_table(matrix)
    table = Table(*columns("corruption", *drawn.checks))
    for row in drawn.rows:
        table.add_row(plain(row.name), *(plain(cell.text) for cell in row.cells))
    screen = console()
    screen.print(table)
    for line in [*drawn.words, *([sight.words] if sight.words else []), *sight.reasons]:
        screen.print(plain(line), soft_wrap=True)
    return 0 if sight.proven else 2
