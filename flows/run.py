"""``chaosday run`` and ``chaosday plan``: an experiment file through the pipeline, or only to its plan."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from chaosday.clock import SystemClock
from chaosday.drills.execution import Execution
from chaosday.drills.finding_file import is_finding
from chaosday.errors import UsageError
from chaosday.model.experiment import load
from chaosday.record.run_directory import RunDirectory, runs_root
from chaosday.running.placebo import is_placebo_turn
from flows.run_one import run_one
from flows.terminal import show_plan, show_verdict


@click.command("run", short_help="Run experiments as Prefect flows.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per run on standard output, nothing else.")
@click.option("--quiet", is_flag=True, help="No progress, only the verdict.")
@click.option("--placebo", is_flag=True, help="Everything but the injection: damage then convicts the tool.")
@click.option("--placebo-every", type=click.IntRange(0), default=0, help="One in so many runs of a file is a placebo.")
def command(files: tuple[Path, ...], as_json: bool, quiet: bool, placebo: bool, placebo_every: int) -> int:
    """Run each experiment FILE (YAML or JSON) and exit with the worst verdict.

    A folder stands for the files in it. Files of findings (deployments/findings) bring their own systems: each is run
    on the configuration that has it and on the one that has not, and a table says what was expected and found.
    """
    files = tuple(each for file in files for each in (sorted(file.glob("*.yaml")) if file.is_dir() else [file]))
    if findings := [file for file in files if is_finding(file)]:
        from flows.findings import run_findings

        if len(findings) < len(files):
            raise UsageError("findings and experiments do not go together: run them apart")
        return run_findings(findings, quiet=quiet, as_json=as_json)
    experiments = [(path, load(path)) for path in files]  # all of them are read before any is run
    from flows.session import prefect_session

    worst = 0
    with prefect_session():
        for _, value in experiments:
            directory = RunDirectory.create(runs_root(), value.title, SystemClock())
            at_zero = placebo or is_placebo_turn(runs_root(), value.title, placebo_every, value.seed)
            verdict = run_one(value, directory, quiet=quiet or as_json, placebo=at_zero)
            worst = max(worst, verdict.exit_code)
            if as_json:
                click.echo(orjson.dumps({"run": str(directory.path), **verdict.model_dump(mode="json")}))
            else:
                show_verdict(directory, verdict)
    return worst


@click.command("plan", short_help="What an experiment would touch, by name, and how it would be undone.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON.")
def plan_command(file: Path, as_json: bool) -> int:
    """Reach the targets of FILE and plan its faults; nothing is touched and nothing is kept."""
    import tempfile

    value = load(file)
    with tempfile.TemporaryDirectory(prefix="chaosday-plan-") as scratch:
        directory = RunDirectory.create(Path(scratch), value.title, SystemClock())
        with Execution(value, directory) as run:
            plan = run.preflight()
            shortfalls = list(run.shortfalls)
    if as_json:
        click.echo(orjson.dumps(plan | {"shortfalls": shortfalls}, option=orjson.OPT_INDENT_2))
    else:
        show_plan(plan, shortfalls)
    return 2 if shortfalls else 0
