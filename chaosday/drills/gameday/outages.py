"""The outage ledger: minutes and money lost before chaos days and since, against the goal of ten times fewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from chaosday.errors import InvalidExperiment
from chaosday.model.base import Model
from chaosday.model.experiment import in_words
from chaosday.statistics import exact_interval

MONTH_DAYS = 365.25 / 12
_NOT_YET = date(1970, 1, 1)


class Outage(Model):
    """One incident that users felt."""

    day: date = _NOT_YET
    system: str = ""
    minutes: float = Field(default=0, ge=0)
    cost: float | None = Field(default=None, ge=0, title="Cost")
    """What it cost, where that is known; else minutes times the system's cost of a minute."""
    what: str = ""
    experiment: str = ""
    """Title of the experiment that shows such a thing; empty where there is none."""


class OutageLedger(Model):
    """All incidents from ``first`` on; chaos days began at ``since``."""

    first: date | None = Field(default=None, title="First day")
    since: date | None = Field(default=None, title="Since")
    goal_times_fewer: float = Field(default=10, gt=1)
    currency: str = Field(default="EUR", max_length=8)
    outages: list[Outage] = []

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first and self.since and self.since <= self.first:
            raise ValueError("since: it has to come after first, or there is nothing to compare with")
        if self.first and any(outage.day < self.first for outage in self.outages):
            raise ValueError("outages: one lies before first; the ledger has to be complete from there on")
        return self


class Span(Model):
    """The ledger over some days; ``cost`` leaves out the ``unpriced`` incidents."""

    days: int
    incidents: int
    minutes: float
    cost: float
    unpriced: int
    incidents_a_month: float
    minutes_a_month: float
    cost_a_month: float


class Month(Model):
    """One calendar month of it."""

    month: str
    incidents: int
    minutes: float
    cost: float


class Trend(Model):
    """Before and since. ``times_fewer`` is the ratio of the rates of incidents, None while it has no meaning;
    with its 95 % bounds, the upper one None for "no limit"."""

    before: Span
    since: Span
    months: list[Month]
    times_fewer: float | None
    at_least: float | None
    at_most: float | None
    goal_times_fewer: float
    currency: str
    words: str


def trend(ledger: OutageLedger, cost_per_minute: Mapping[str, float], today: date) -> Trend | None:
    """What the ledger says up to ``today`` (included); None until it has a first day and a day of change."""
    first, since = ledger.first, ledger.since
    if first is None or since is None or today < since:
        return None
    known = [outage for outage in ledger.outages if outage.day <= today]
    before = _span([o for o in known if o.day < since], cost_per_minute, (since - first).days)
    after = _span([o for o in known if o.day >= since], cost_per_minute, (today - since).days + 1)
    times, low, high = _fewer(before, after)
    return Trend(
        before=before,
        since=after,
        months=_months(known, cost_per_minute),
        times_fewer=times,
        at_least=low,
        at_most=high,
        goal_times_fewer=ledger.goal_times_fewer,
        currency=ledger.currency,
        words=_words(times, low, high, ledger.goal_times_fewer),
    )


def today_utc(wall_ns: int) -> date:
    """The day of a clock's wall reading, in UTC."""
    return datetime.fromtimestamp(wall_ns / 1e9, UTC).date()


def parse_ledger(data: dict[str, Any], where: str = "") -> OutageLedger:
    """Validate plain data through the strict door."""
    try:
        return OutageLedger.model_validate(data, extra="forbid")
    except ValidationError as error:
        raise InvalidExperiment(f"{where}{in_words(error)}") from None


def _fewer(before: Span, after: Span) -> tuple[float | None, float | None, float | None]:
    """The ratio of two Poisson rates with its exact bounds: given the total, the earlier count is binomial
    (Przyborowski and Wilenski 1940), so that the bounds of its share are bounds of the ratio."""
    total = before.incidents + after.incidents
    if not total:
        return None, None, None
    share = exact_interval(before.incidents, total)
    per_day = after.days / before.days

    def ratio(proportion: float) -> float | None:
        return None if proportion >= 1 else proportion / (1 - proportion) * per_day

    return ratio(before.incidents / total), ratio(share.low), ratio(share.high)


def _words(times: float | None, low: float | None, high: float | None, goal: float) -> str:
    if low is None:
        return "no incident on record, before or since: there is nothing to compare"
    said = "none since" if times is None else f"{times:.1f} times fewer incidents"
    upper = "no upper limit" if high is None else f"{high:.1f}"
    if low >= goal:
        judged = f"the goal of {goal:g} times fewer is reached"
    elif high is not None and high < goal:
        judged = f"the goal of {goal:g} times fewer is missed so far"
    else:
        judged = f"too few incidents to say whether the goal of {goal:g} times fewer is reached"
    return f"{said} (95 %: {low:.1f} to {upper}); {judged}"


def _span(outages: Sequence[Outage], cost_per_minute: Mapping[str, float], days: int) -> Span:
    costs = [_cost(outage, cost_per_minute) for outage in outages]
    minutes, cost, months = sum(o.minutes for o in outages), sum(c for c in costs if c is not None), days / MONTH_DAYS
    return Span(
        days=days,
        incidents=len(outages),
        minutes=minutes,
        cost=cost,
        unpriced=sum(c is None for c in costs),
        incidents_a_month=len(outages) / months,
        minutes_a_month=minutes / months,
        cost_a_month=cost / months,
    )


def _months(outages: Sequence[Outage], cost_per_minute: Mapping[str, float]) -> list[Month]:
    rows: dict[str, list[Outage]] = {}
    for outage in sorted(outages, key=lambda each: each.day):
        rows.setdefault(f"{outage.day:%Y-%m}", []).append(outage)
    return [
        Month(
            month=name,
            incidents=len(each),
            minutes=sum(o.minutes for o in each),
            cost=sum(_cost(o, cost_per_minute) or 0 for o in each),
        )
        for name, each in rows.items()
    ]


def _cost(outage: Outage, cost_per_minute: Mapping[str, float]) -> float | None:
    if outage.cost is not None:
        return outage.cost
    rate = cost_per_minute.get(outage.system)
    return None if rate is None else rate * outage.minutes
