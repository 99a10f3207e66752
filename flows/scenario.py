"""``chaosday lab``: a small experiment on a PostgreSQL pair that it starts itself."""

from __future__ import annotations

import click

from chaosday.clock import SystemClock
from chaosday.judging.verdict import Verdict
from chaosday.lab.scenarios import SCENARIOS, Scenario
from chaosday.record.run_directory import RunDirectory, runs_root
from flows.session import prefect_session
from flows.terminal import show_verdict, watching


@click.command("lab", short_help="A small experiment on a PostgreSQL pair that it starts itself.")
@click.argument("scenario", type=click.Choice(SCENARIOS), required=False)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
@click.option("--quiet", is_flag=True, help="No progress, only the verdict.")
def command(scenario: Scenario | None, seed: int, quiet: bool) -> int:
    """Run SCENARIO; without one, list them."""
    if scenario is None:
        click.echo("\n".join(SCENARIOS))
        return 0
    directory = RunDirectory.create(runs_root().resolve(), scenario, SystemClock())
    with prefect_session():
        from flows.lab import lab

        with watching(quiet=quiet, title=scenario):
            lab(scenario, seed, directory=directory.path, return_state=True)
    verdict = Verdict.model_validate(directory.read_json("verdict.json"))
    show_verdict(directory, verdict)
    return verdict.exit_code
