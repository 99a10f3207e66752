"""``chaosday run`` and ``chaosday plan``: a run of any kind through the pipeline, or only to its plan."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import click

from chaosday.clock import SystemClock
from chaosday.drills.finding_file import is_finding
from chaosday.drills.kinds import load_run
from chaosday.errors import UsageError
from chaosday.judging.verdict import EXIT_CODES, Verdict, worst
from chaosday.model.document import read_mapping
from chaosday.model.experiment import validated
from chaosday.record.inputs import InputPath
from chaosday.record.run_directory import RunDirectory, runs_root
from chaosday.reporting.terminal import columns, plain, say_json
from chaosday.running.kind import Kind
from chaosday.running.kind import Table as Shown
from chaosday.running.placebo import is_placebo_turn
from chaosday.running.run import Run
from chaosday.safety.guardrails import Guardrails
from flows.run_one import Runner
from flows.terminal import console, show_plan, show_verdict

SUFFIXES = (".yaml", ".yml", ".json")
PAUSES = click.Choice(["terminal", "prefect", "none"])
Pauses = Literal["terminal", "prefect", "none"]


@dataclass(frozen=True)
class Part:
    """As much of a run as was asked for: one point of it, what fits into so many minutes, or all but the injection."""

    only: str = ""
    budget: float | None = None
    placebo: bool = False
    placebo_every: int = 0


@click.command("run", short_help="Run files of any kind as Prefect flows.")
@click.argument("files", nargs=-1, required=True, type=InputPath())
@click.option("--json", "as_json", is_flag=True, help="One JSON object per run on standard output, nothing else.")
@click.option("--quiet", is_flag=True, help="No progress, only the verdict.")
@click.option("--placebo", is_flag=True, help="Everything but the injection: damage then convicts the tool.")
@click.option("--placebo-every", type=click.IntRange(0), default=0, help="One in so many runs of a file is a placebo.")
@click.option("--guardrails", type=InputPath(), help="A file with limits that hold for all of them.")
@click.option("--due", type=click.DateTime(), help="When they were due, UTC: for cron. Late runs hurt nothing.")
@click.option("--only", default="", metavar="POINT", help="Of a pipeline drill, the one point: 17.after, end.")
@click.option("--budget", type=click.FloatRange(0, min_open=True), help="Minutes that a pipeline drill may take.")
@click.option("--pauses", type=PAUSES, default="terminal", show_default=True, help="Where a game day waits for a go.")
def command(
    files: tuple[Path, ...], guardrails: Path | None, due: datetime | None, pauses: Pauses, **options: Any
) -> int:
    """Run each FILE (YAML or JSON) and exit with the worst verdict.

    A FILE is an experiment, a detection, restore or pipeline drill, or a game day: its field 'kind' says which; without
    one it is an experiment. A folder stands for the files in it. Files of findings (deployments/findings) bring their
    own systems: each is run on the configuration that has it and on the one that has not, and a table says what was
    expected and found.
    """
    found = _files(files)
    as_json, quiet = bool(options.pop("as_json")), bool(options.pop("quiet"))
    if findings := [file for file in found if is_finding(file)]:
        from flows.findings import run_findings

        if len(findings) < len(found):
            raise UsageError("findings and runs do not go together: run them apart")
        return run_findings(findings, quiet=quiet, as_json=as_json)
    part = Part(**options)
    return run_files(found, as_json=as_json, quiet=quiet, guardrails=guardrails, due=due, pauses=pauses, part=part)


def run_files(
    files: Sequence[Path],
    *,
    as_json: bool,
    quiet: bool,
    guardrails: Path | None = None,
    due: datetime | None = None,
    pauses: Pauses = "terminal",
    part: Part = Part(),
) -> int:
    """Run files of any kind, show each verdict, and return the worst exit code."""
    limits = validated(Guardrails, read_mapping(guardrails), f"{guardrails}: ") if guardrails else None
    due_ns = int(due.replace(tzinfo=UTC).timestamp() * 1e9) if due else None
    kinds = [load_run(path) for path in files]  # all of them are read before any is run
    if part.only or part.budget:
        kinds = [kind.narrowed(part.only, part.budget or 0) for kind in kinds]
    if part.placebo and (other := [kind.kind for kind in kinds if not kind.has_placebo]):
        raise UsageError(f"--placebo: a run of kind {other[0]} has none")
    outcomes = []
    with Runner(quiet or as_json, limits, due_ns) as runner:
        for kind in kinds:
            title, seed = kind.intent().title, kind.intent().seed
            directory = RunDirectory.create(runs_root(), title, SystemClock())
            options: dict[str, Any] = {"pauses": pauses} if kind.sealed else {}
            if kind.has_placebo:
                options["placebo"] = part.placebo or is_placebo_turn(runs_root(), title, part.placebo_every, seed)
            verdict = runner.run(kind, directory, **options)
            outcomes.append(verdict.outcome)
            _show(kind, directory, verdict, as_json=as_json)
    return EXIT_CODES[worst(outcomes)]


@click.command("plan", short_help="What a run would touch, by name, and how it would be undone.")
@click.argument("file", type=InputPath())
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON.")
def plan_command(file: Path, as_json: bool) -> int:
    """Reach the targets of FILE and plan what it does; nothing is touched and nothing is kept."""
    kind = load_run(file)
    with tempfile.TemporaryDirectory(prefix="chaosday-plan-") as scratch:
        directory = RunDirectory.create(Path(scratch), kind.intent().title, SystemClock())
        with Run(kind, directory) as run:
            plan = run.preflight()
            foreseen = _foreseen(kind, run) if run.ready else []
            shortfalls = list(run.shortfalls)
    if as_json:
        tables = {table.name: table.rows for table in foreseen}
        say_json(plan | {"shortfalls": shortfalls} | ({"foreseen": tables} if tables else {}), indent=True)
    else:
        show_plan(plan, shortfalls)
        _draw(foreseen)
    return 2 if shortfalls else 0


def _foreseen(kind: Kind, run: Run) -> list[Shown]:
    """What a trial shows; whatever it made is taken away again."""
    try:
        return run.guarded(lambda: kind.foreseen(run)) or []
    finally:
        run.rollback()


def _files(files: Iterable[Path]) -> list[Path]:
    """The files named, and those in the folders named; ``UsageError`` where that is none."""
    found = [
        each
        for file in files
        for each in (sorted(f for f in file.iterdir() if f.suffix in SUFFIXES) if file.is_dir() else [file])
    ]
    if not found:
        raise UsageError(f"there is nothing to run: no {', '.join(SUFFIXES)} in {', '.join(map(str, files))}")
    return found


def _show(kind: Kind, directory: RunDirectory, verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        say_json({"run": str(directory.path), **verdict.model_dump(mode="json")})
        return
    _draw(kind.shown(directory))
    show_verdict(directory, verdict)


def _draw(tables: Iterable[Shown]) -> None:
    from rich import box
    from rich.table import Table

    for table in tables:
        names = list(dict.fromkeys(name for row in table.rows for name in row))
        drawn = Table(*columns(*names), box=box.SIMPLE_HEAD)
        for row in table.rows:
            drawn.add_row(*(plain(row.get(name, "")) for name in names))
        console.print(drawn)
