"""``chaosday explore``: draw schedules of faults until one violates and shrink it, or sweep one field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click

from chaosday.clock import SystemClock
from chaosday.drills.exploring.base import Base, read_base
from chaosday.drills.exploring.exploration import Exploration
from chaosday.drills.exploring.ground import Asked, Ground, ground
from chaosday.drills.exploring.sweeping import BREAKS, Swept, sweep, values_of
from chaosday.drills.finding_file import ARMS
from chaosday.errors import UsageError
from chaosday.judging.verdict import EXIT_CODES
from chaosday.model.document import read_mapping
from chaosday.model.experiment import validated
from chaosday.record.inputs import InputPath
from chaosday.record.outputs import claim, write_output
from chaosday.record.run_directory import runs_root
from chaosday.reporting.terminal import say, say_json, say_text
from chaosday.running.signals import StopSignals
from chaosday.safety.guardrails import Guardrails
from chaosday.safety.permission import Permission

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType):  # type: ignore[type-arg]
    """``90``, ``90s``, ``30m`` or ``2h``, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value))
        seconds = float(found[1]) * UNITS[found[2]] if found else 0.0
        if not 0 < seconds <= 7 * 86_400:
            self.fail(f"{value!r} is written 90s, 30m or 2h, and is a week at most", param, ctx)
        return seconds


@click.command("explore", short_help="Draw schedules of faults until one violates, and shrink it; or sweep a field.")
@click.argument("file", type=InputPath(dir_okay=False))
@click.option("--budget", "budget_s", default="30m", show_default=True, type=Duration(), help="90s, 30m, 2h.")
@click.option("--runs", default=10_000, show_default=True, type=click.IntRange(1), help="So many runs at most.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
@click.option("--allow", multiple=True, metavar="FAULT", help="A fault or a family that may be drawn; repeated.")
@click.option("--arm", type=click.Choice(ARMS), default="unsound", show_default=True, help="Of a finding's file.")
@click.option("--sweep", "swept", default="", metavar="FIELD=VALUES", help="faults.0.fault.delay_ms=1..1000/8")
@click.option(
    "--each", default=5, show_default=True, type=click.IntRange(1, 1000), help="Runs of each value of a sweep."
)
@click.option(
    "--breaks", type=click.Choice(list(BREAKS)), default="violated", show_default=True, help="When a run broke."
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the smallest experiment to this file."
)
@click.option("--guardrails", type=InputPath(), help="A file with limits that hold for every run.")
@click.option("--keep", is_flag=True, help="Keep also the evidence of runs that found nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, nothing else there.")
def command(
    file: Path, arm: Any, swept: str, allow: tuple[str, ...], out: Path | None, guardrails: Path | None, **options: Any
) -> int:
    """Start from the experiment in FILE, and let its faults be drawn: which, when, and at what dose.

    FILE is an experiment, a finding (deployments/findings; its lab starts the system for each run), or has 'explore'
    (what may be drawn) beside 'experiment'. The first schedule that violates 2 of 3 times is made smaller as long as
    it still does, and what is left is printed, ready to run. With --sweep one field goes through the values given.
    """
    claim(out, [file, *([guardrails] if guardrails else [])])
    base = read_base(file, arm)
    field, _, values = swept.partition("=")
    each, breaks, as_json = options.pop("each"), options.pop("breaks"), bool(options.pop("as_json"))
    plan = Swept(field, values_of(values), each, breaks) if swept else None
    limits = validated(Guardrails, read_mapping(guardrails), f"{guardrails}: ") if guardrails else None
    tell = partial(say, err=True)
    root = runs_root()
    with (
        StopSignals().handled(),
        ground(
            base, _system_of(base), root, Asked(**options),
            permission=lambda: Permission.of(root, guardrails=limits), clock=SystemClock(), tell=tell,
        ) as made,
    ):  # fmt: skip
        return _swept(made, plan, as_json) if plan else _explored(made, allow, out, as_json)


def _explored(made: Ground, allow: tuple[str, ...], out: Path | None, as_json: bool) -> int:
    exploration = Exploration(made, allow)
    with _told_of_an_early_end(made, exploration.standing):
        explored = exploration.run()
    if out is not None and explored.found:
        write_output(out, explored.file)
    if as_json:
        say_json(explored.model_dump(mode="json") | {"outcome": explored.outcome.value, "words": explored.words})
    else:
        if explored.found:
            say_text(explored.file)
        say(f"{explored.outcome.value}: {explored.words}", err=explored.found)
        say(f"{explored.folder}/report.html", err=True)
    return EXIT_CODES[explored.outcome]


def _swept(made: Ground, plan: Swept, as_json: bool) -> int:
    with _told_of_an_early_end(made, lambda: f"{made.trials.count} runs; {made.folder.path}"):
        response = sweep(made, plan)
    if as_json:
        say_json(response.model_dump(mode="json") | {"folder": str(made.folder.path)})
    else:
        for point in response.points:
            said = f"{point.broke} of {point.runs} broke ({point.low:.0%} to {point.high:.0%})"
            say(f"{plan.field} {point.value:g}: {said}")
        say(response.words)
        say(f"{made.folder.path}/report.html", err=True)
    return 0 if response.points else 2


@contextmanager
def _told_of_an_early_end(made: Ground, standing: Callable[[], str]) -> Iterator[None]:
    ended = False
    try:
        yield
        ended = True
    finally:
        if not ended:
            made.tell(f"ended early: {standing()}")


def _system_of(base: Base) -> Callable[[], AbstractContextManager[dict[str, Any]]]:
    if not base.lab:
        return lambda: nullcontext({})
    from chaosday.lab.stands import fresh

    if base.lab_options is None:
        raise UsageError("the finding names no lab")
    return partial(fresh, base.lab, base.lab_options)
