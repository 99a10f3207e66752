"""The systems whose loss stops the business, and when what they live on was last proven; and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

from chaosday.campaign.campaigning import Series, version_of
from chaosday.campaign.coverage import Covered
from chaosday.campaign.restored import Restored
from chaosday.campaign.summary import RunSummary, name_and_version
from chaosday.clock import Clock
from chaosday.model.base import Model

_FINDINGS = {"violated": "it found damage", "inconclusive": "it proved nothing", "revert_failed": "it left a fault on"}


class Critical(Model):
    """A critical system in its users' own words."""

    name: str
    owner: str = ""
    depends_on: list[str] = []
    experiments: list[str] = []
    """Titles of the experiments that are its practice."""
    cost_per_hour: float | None = None
    currency: str = ""
    every_days: float = 30


class Drilled(Model):
    """A critical system, and when its practice was last proven."""

    system: Critical
    state: Literal["fresh", "overdue", "never"]
    proven: str = ""
    """The last day (UTC) of a run of its experiments with a proven verdict."""
    version: str = ""
    outcome: str = ""
    words: str


def drilled(systems: Iterable[Critical], runs: Sequence[RunSummary], clock: Clock) -> list[Drilled]:
    """Each system in the order given; a placebo or a run that proved nothing is no practice."""
    now = datetime.fromtimestamp(clock.wall_ns() / 1e9, UTC)
    newest: dict[str, RunSummary] = {}
    for run in sorted(runs, key=lambda each: each.began):
        if run.counts:
            newest[run.title] = run
    return [_drilled(system, newest, now) for system in systems]


def to_do(
    covered: Sequence[Covered],
    systems: Sequence[Drilled],
    series: Sequence[Series],
    restores: Sequence[Restored] = (),
) -> list[str]:
    """What to do next, the most urgent first, a line each: damage, what stops the business, what was never proven."""
    last = [(each, [run for run in each.runs if not run.placebo]) for each in series]
    ends = [(each.title, runs[-1]) for each, runs in last if runs]
    rank = {"revert_failed": 0, "violated": 1, "inconclusive": 2}
    bad = sorted((one for one in ends if one[1].outcome in rank), key=lambda one: rank[one[1].outcome])
    lines = [f"{title}: {_FINDINGS[run.outcome]} on {run.began[:10]}; read {run.run}" for title, run in bad]
    lines += [each.words for each in sorted(systems, key=_urgency) if each.state != "fresh"]
    lines += [each.words for each in restores if each.state != "fresh"]
    lines += [f"{each.title}: {each.change.words}" for each in series if each.change and each.change.significant]
    gaps: dict[tuple[str, str, str], list[str]] = {}
    for each in todays(covered):
        if each.state != "fresh":
            gaps.setdefault((each.state, each.fault, each.system), []).append(each.check)
    words = {"never": "never proven", "expired": "expired"}
    said = sorted(gaps.items(), key=lambda one: (one[0][0] != "never", one[0]))
    return lines + [f"{words[state]}: {fault} on {system}, by {', '.join(by)}" for (state, fault, system), by in said]


def todays(covered: Sequence[Covered]) -> list[Covered]:
    """The cells of each system in the version that was met last; a proof of an earlier one has expired with it."""
    now: dict[str, tuple[str, str]] = {}
    for each in covered:
        name = name_and_version(each.system)[0]
        now[name] = max(now.get(name, ("", "")), (each.met, each.system))
    best: dict[tuple[str, str, str], Covered] = {}
    for each in sorted(covered, key=lambda one: one.proven):
        name = name_and_version(each.system)[0]
        current = now[name][1]
        key = (name, each.fault, each.check)
        past = each.system != current and each.state == "fresh"
        shown = each.model_copy(update={"state": "expired"}) if past else each
        before = best.get(key)
        if before is None or before.system != current or each.system == current:
            best[key] = shown if each.proven or before is None else before
    return [best[key] for key in sorted(best)]


def _drilled(system: Critical, newest: dict[str, RunSummary], now: datetime) -> Drilled:
    runs = [newest[title] for title in system.experiments if title in newest]
    whose = f"{system.name}{f' ({system.owner})' if system.owner else ''}"
    cost = f"; an hour without it costs {system.cost_per_hour:,.0f} {system.currency}" if system.cost_per_hour else ""
    if not runs:
        why = "no experiment is named for it" if not system.experiments else f"run {system.experiments[0]}"
        return Drilled(system=system, state="never", words=f"never drilled: {whose}: {why}{cost}")
    run = max(runs, key=lambda each: each.began)
    age = (now - run.day).total_seconds() / 86_400
    missing = [title for title in system.experiments if title not in newest]
    state: Literal["fresh", "overdue"] = "fresh" if age <= system.every_days else "overdue"
    words = f"{state if state == 'overdue' else 'drilled'}: {whose}: {run.title} was proven {age:.0f} days ago"
    words += f", with {version_of(run)}; it is to be every {system.every_days:g} days"
    words += f"; never proven: {', '.join(missing)}" if missing else ""
    return Drilled(
        system=system, state=state, proven=run.began[:10], version=version_of(run), outcome=run.outcome,
        words=words + (cost if state == "overdue" else ""),
    )  # fmt: skip


def _urgency(each: Drilled) -> tuple[bool, float]:
    return each.state != "never", -(each.system.cost_per_hour or 0)
