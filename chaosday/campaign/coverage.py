"""What a campaign covers: systems x faults x detectors, each with the day on which it was last proven."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from chaosday.campaign.summary import NO_FAULT, RunSummary
from chaosday.clock import Clock
from chaosday.model.base import Model

EXPIRES_DAYS = 30.0

State = Literal["fresh", "expired", "never"]


class Covered(Model):
    """One detector, for one fault on one system. ``never`` was meant to be proven and never was."""

    system: str
    fault: str
    check: str
    state: State
    proven: str = ""
    """The last day (UTC) on which the fault bit and the check, known to have sight, gave a verdict."""
    age_days: float | None = None
    runs: int = 0
    met: str = ""
    """When any run last met this system, proven or not: the version met last is today's."""


def coverage(runs: Iterable[RunSummary], clock: Clock, expires_days: float = EXPIRES_DAYS) -> list[Covered]:
    """Every combination that any run was made for; proof grows old, because systems change under it."""
    found: dict[tuple[str, str, str], tuple[str, int]] = {}
    met: dict[str, str] = {}
    for run in sorted(runs, key=lambda each: each.began):
        if run.placebo:
            continue
        proven = set(run.proven)
        met.update(dict.fromkeys(run.systems, run.began))
        for pair in itertools.product(run.faults or [NO_FAULT], run.checks):
            for system in run.systems:
                last, count = found.get((system, *pair), ("", 0))
                hit = pair in proven
                found[(system, *pair)] = (max(last, run.began) if hit else last, count + hit)
    now = datetime.fromtimestamp(clock.wall_ns() / 1e9, UTC)
    return [
        _covered(key, *found[key], now, expires_days).model_copy(update={"met": met[key[0]]}) for key in sorted(found)
    ]


def _covered(key: tuple[str, str, str], last: str, runs: int, now: datetime, expires_days: float) -> Covered:
    system, fault, check = key
    if not runs:
        return Covered(system=system, fault=fault, check=check, state="never")
    day = datetime.fromisoformat(last)
    age = (now - day).total_seconds() / 86_400
    return Covered(
        system=system,
        fault=fault,
        check=check,
        state="fresh" if age <= expires_days else "expired",
        proven=day.astimezone(UTC).date().isoformat(),
        age_days=round(age, 2),
        runs=runs,
    )
