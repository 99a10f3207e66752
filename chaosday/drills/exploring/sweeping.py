"""A sweep: one field of an experiment through several values, so many runs each, and where it breaks."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from chaosday.drills.exploring.breaking import breaking_point
from chaosday.drills.exploring.ground import Ground
from chaosday.drills.exploring.searching import outcome_words
from chaosday.drills.exploring.trials import Experiment, Trial
from chaosday.errors import UsageError
from chaosday.model.base import Model
from chaosday.model.finding import Outcome
from chaosday.reporting.dose_response import Dose, svg
from chaosday.reporting.exploration_page import Shown, page
from chaosday.statistics import exact_interval

Breaks = Literal["violated", "failing"]
BREAKS: dict[str, Callable[[Trial], bool]] = {
    "violated": lambda trial: trial.outcome == Outcome.VIOLATED.value,
    "failing": lambda trial: trial.failing >= 0.5,
}
"""What is meant by a run that broke: damage, or that half of the operations under a fault were not acknowledged."""
MOST_VALUES = 100


class Point(Model):
    """One value: of how many runs that say something how many broke, and how clients fared."""

    value: float
    runs: int = 0
    broke: int = 0
    low: float = 0
    high: float = 1
    failing: float = 0
    """Mean share of operations under the fault that were not acknowledged."""
    p99_ms: float = 0
    """The largest 99th percentile of those that were."""


class Response(Model):
    """The dose-response curve and its breaking point; ``value`` is None where that lies outside of what was tried."""

    field: str
    breaks: str
    points: list[Point]
    value: float | None = None
    low: float = 0
    high: float = 0
    words: str = ""
    unjudged: int = 0


def values_of(text: str) -> list[float]:
    """``10,20,50``, or ``1..1000`` and ``1..1000/8``: so many values (6) between the two, by factors where above 0."""
    try:
        if ".." not in text:
            values = sorted({float(each) for each in text.split(",")})
        else:
            ends, _, count = text.partition("/")
            low, high = (float(each) for each in ends.split(".."))
            if (many := int(count or 6)) > MOST_VALUES:
                raise UsageError(f"--sweep: 2 to {MOST_VALUES} different numbers are needed, and not {many:,}")
            values = _spread(low, high, many)
    except ValueError:
        raise UsageError(f"--sweep: {text!r} is written 10,20,50 or 1..1000/8") from None
    if len(values) < 2 or len(values) > MOST_VALUES or not all(map(math.isfinite, values)):
        raise UsageError(f"--sweep: 2 to {MOST_VALUES} different numbers are needed")
    return values


def with_value(experiment: Experiment, field: str, value: float) -> Experiment:
    """A copy in which the field named by its path (``faults.0.fault.delay_ms``) has the value."""
    changed = copy.deepcopy(experiment)
    place: Any = changed
    *way, last = field.split(".")
    for part in way:
        place = _step(place, part, field)
    if isinstance(place, dict):
        place[last] = int(value) if float(value).is_integer() else value
        return changed
    raise UsageError(f"{field}: there is no such field; write the path as in faults.0.fault.delay_ms")


@dataclass(frozen=True)
class Swept:
    """What is swept: a field by its path, the values, how many runs each, and what counts as broken."""

    field: str
    values: Sequence[float]
    each: int = 5
    breaks: Breaks = "violated"


def sweep(ground: Ground, swept: Swept) -> Response:
    """Runs in an order drawn by the seed, so that what drifts meanwhile is no dose; ``response.json`` and a page.

    What it has come to so far is written however it ends.
    """
    turns = [value for value in swept.values for _ in range(swept.each)]
    Random(ground.seed).shuffle(turns)
    found: dict[float, list[Trial]] = {value: [] for value in swept.values}
    unjudged = 0
    experiments = {value: with_value(ground.base.experiment, swept.field, value) for value in swept.values}
    try:
        for value in turns:
            if not ground.budget.left(ground.trials):
                break
            trial = ground.trials.run(experiments[value])
            found[value] += [trial] if (says := counts(trial, swept.breaks)) else []
            unjudged += not says
            why = f" ({trial.reasons[0]})" if trial.reasons and not trial.judged else ""
            said = f"{outcome_words(trial)}, {trial.failing:.0%} failing{why}"
            ground.tell(f"run {ground.trials.count}: {swept.field} {value:g}: {said}")
    finally:
        response = response_of(swept.field, swept.breaks, found, ground.seed, unjudged)
        ground.folder.write_json("response.json", response.model_dump(mode="json"))
        ground.folder.write_bytes("report.html", response_page(ground.base.title, response).encode())
        ground.journal.append("swept", **response.model_dump(mode="json"))
    return response


def response_page(title: str, response: Response) -> str:
    """The curve drawn, and as a table."""
    doses = [Dose(p.value, p.broke / p.runs, p.low, p.high, _in_words(p)) for p in response.points]
    picture = svg(doses, response.field, (response.value, response.low, response.high))
    columns = (response.field, "broke", "of runs", "95 %", "not acknowledged", "p99 ms")
    rows = [
        (
            f"{p.value:g}",
            str(p.broke),
            str(p.runs),
            f"{p.low:.0%} to {p.high:.0%}",
            f"{p.failing:.1%}",
            f"{p.p99_ms:,.1f}",
        )
        for p in response.points
    ]
    left = f" {response.unjudged} runs said nothing and are left out." if response.unjudged else ""
    words = f"A run broke where it was {response.breaks}.{left}"
    curve = Shown("Dose and response", words, columns, rows, picture=picture)
    outcome = "violated" if any(p.broke for p in response.points) else "pass" if response.points else "inconclusive"
    return page(f"swept: {title}", outcome, response.words, [curve])


def _in_words(point: Point) -> str:
    return f"{point.broke} of {point.runs} at {point.value:g}"


def counts(trial: Trial, breaks: Breaks) -> bool:
    """Whether a run says anything about the question: a dose that was not measured to hit did not go well."""
    if breaks == "failing":
        return bool(trial.run) and not trial.refused and (trial.bit or BREAKS[breaks](trial))
    return trial.judged or trial.outcome == Outcome.VIOLATED.value


def response_of(field: str, breaks: Breaks, found: dict[float, list[Trial]], seed: int, unjudged: int = 0) -> Response:
    """The curve of what was found at each value."""
    points = [_point(value, trials, BREAKS[breaks]) for value, trials in sorted(found.items()) if trials]
    if not points:
        words = "no run came to an end that says anything"
        return Response(field=field, breaks=breaks, points=[], words=words, unjudged=unjudged)
    at = breaking_point([e.value for e in points], [e.broke for e in points], [e.runs for e in points], seed)
    return Response(
        field=field, breaks=breaks, points=points, value=at.value, low=at.low, high=at.high, words=at.words,
        unjudged=unjudged,
    )  # fmt: skip


def _point(value: float, trials: list[Trial], broke: Callable[[Trial], bool]) -> Point:
    hits = sum(map(broke, trials))
    interval = exact_interval(hits, len(trials))
    return Point(
        value=value, runs=len(trials), broke=hits, low=interval.low, high=interval.high,
        failing=sum(each.failing for each in trials) / len(trials), p99_ms=max(each.p99_ms for each in trials),
    )  # fmt: skip


def _spread(low: float, high: float, count: int) -> list[float]:
    if count < 2 or low >= high:
        raise ValueError
    factors = low > 0
    shares = [number / (count - 1) for number in range(count)]
    raw = [low * (high / low) ** share if factors else low + share * (high - low) for share in shares]
    whole = low.is_integer() and high.is_integer() and high - low >= count
    return sorted({float(round(each)) if whole else float(f"{each:.4g}") for each in raw})


def _step(place: Any, part: str, field: str) -> Any:
    try:
        return place[int(part)] if isinstance(place, list) else place[part]
    except (KeyError, IndexError, ValueError, TypeError):
        raise UsageError(f"{field}: there is no {part!r} in it; write the path as in faults.0.fault.delay_ms") from None
