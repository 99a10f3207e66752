"""The critical systems that a game day's file names, as a campaign looks at them."""

from __future__ import annotations

from pathlib import Path

from chaosday.campaign.drilled import Critical
from chaosday.drills.gameday.day import load_day


def critical_systems(file: Path) -> list[Critical]:
    """Read a game day and give its systems, the dearest first; errors of the file as ``load_day`` has them."""
    day = load_day(file)
    found = [
        Critical(
            name=each.name or "a system without a name",
            owner=each.owner,
            depends_on=each.depends_on,
            experiments=each.experiments,
            cost_per_hour=None if each.downtime_cost_per_minute is None else each.downtime_cost_per_minute * 60,
            currency=day.outages.currency,
            every_days=each.drill_every_days,
        )
        for each in day.systems
    ]
    return sorted(found, key=lambda each: -(each.cost_per_hour or 0))
