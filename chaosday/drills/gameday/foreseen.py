"""Whether an outage was one that an experiment had covered: the goal of fewer of them is met by what is practised."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal

from chaosday.campaign.summary import RunSummary
from chaosday.drills.gameday.outages import Outage
from chaosday.model.base import Model

State = Literal["found", "passed", "later", "never"]
WORDS: dict[State, str] = {
    "found": "an experiment had found it, and it was not mended",
    "passed": "an experiment had passed: it did not show what happened",
    "later": "it was practised afterwards",
    "never": "no experiment shows it",
}


class Foreseen(Model):
    """An outage, what its experiment had said before it, and the day of that run (UTC; of the first one after it)."""

    day: date
    system: str
    what: str
    minutes: float
    experiment: str
    state: State
    run: date | None = None
    words: str


class ForeseenMonth(Model):
    """The outages of a calendar month, by what experiments had covered."""

    month: str
    found: int = 0
    passed: int = 0
    later: int = 0
    never: int = 0
    minutes_uncovered: float = 0
    """Of those that no experiment had been about by then."""


def foreseen(outages: Sequence[Outage], runs: Sequence[RunSummary]) -> list[Foreseen]:
    """Each outage, oldest first; only runs that proved something count, and one of the same day came after it."""
    proven = sorted((run for run in runs if run.counts), key=lambda run: run.began)
    return [_foreseen(each, proven) for each in sorted(outages, key=lambda each: each.day)]


def by_month(found: Sequence[Foreseen]) -> list[ForeseenMonth]:
    """The months in which there was one, in order."""
    months: dict[str, ForeseenMonth] = {}
    for each in found:
        month = months.setdefault(f"{each.day:%Y-%m}", ForeseenMonth(month=f"{each.day:%Y-%m}"))
        uncovered = each.minutes if each.state in ("later", "never") else 0
        months[month.month] = month.model_copy(
            update={
                each.state: getattr(month, each.state) + 1,
                "minutes_uncovered": month.minutes_uncovered + uncovered,
            }
        )
    return list(months.values())


def _foreseen(outage: Outage, proven: Sequence[RunSummary]) -> Foreseen:
    own = [run for run in proven if outage.experiment and run.title == outage.experiment]
    before = [run for run in own if run.day.date() < outage.day]
    after = [run for run in own if run.day.date() >= outage.day]
    last = before[-1] if before else after[0] if after else None
    state: State = (
        "never" if last is None else "later" if not before else "passed" if last.outcome == "pass" else "found"
    )
    return Foreseen(
        day=outage.day,
        system=outage.system,
        what=outage.what,
        minutes=outage.minutes,
        experiment=outage.experiment,
        state=state,
        run=last.day.date() if last else None,
        words=f"{outage.day} {outage.system}, {outage.what or 'without a word'}: {WORDS[state]}",
    )
