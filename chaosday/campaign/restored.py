"""When a backup of each system was last restored and found whole: one that never was is a wish."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from chaosday.campaign.coverage import EXPIRES_DAYS
from chaosday.campaign.summary import RunSummary, name_and_version
from chaosday.clock import Clock
from chaosday.model.base import Model

KIND = "restore"
RESTORABLE = ("PostgreSQL", "MariaDB", "SQLite", "DuckDB")
"""Systems, as they name themselves, that a restore drill knows; of others nothing is said that they could not do."""


class Restored(Model):
    """A system that runs met, and its newest restore drill that passed."""

    system: str
    state: Literal["fresh", "overdue", "never"]
    restored: str = ""
    """The day (UTC) of that drill."""
    age_days: float | None = None
    rpo_s: float | None = None
    rto_s: float | None = None
    words: str


def restored(runs: Sequence[RunSummary], clock: Clock, within_days: float = EXPIRES_DAYS) -> list[Restored]:
    """Each system that can be restored, by its name; a drill that found damage, or proved nothing, restored nothing."""
    now = datetime.fromtimestamp(clock.wall_ns() / 1e9, UTC)
    newest: dict[str, RunSummary | None] = {}
    for run in sorted(runs, key=lambda each: each.began):
        if run.placebo:
            continue
        for system in run.systems:
            if (name := name_and_version(system)[0]) in RESTORABLE:
                whole = run.kind == KIND and run.outcome == "pass"
                newest[name] = run if whole else newest.get(name)
    return [_restored(name, newest[name], now, within_days) for name in sorted(newest)]


def _restored(name: str, run: RunSummary | None, now: datetime, within_days: float) -> Restored:
    if run is None:
        return Restored(system=name, state="never", words=f"never restored: no backup of {name} was; docs/restore.md")
    age = (now - run.day).total_seconds() / 86_400
    fresh = age <= within_days
    day = run.day.astimezone(UTC).date().isoformat()
    said = f"restored: a backup of {name}, {age:.0f} days ago, by {run.title}"
    late = f"not restored for {age:.0f} days: no backup of {name} since {run.title} on {day}"
    return Restored(
        system=name,
        state="fresh" if fresh else "overdue",
        restored=day,
        age_days=round(age, 2),
        rpo_s=run.rpo_s,
        rto_s=run.rto_s,
        words=said if fresh else late,
    )


def recovery_words(runs: Sequence[RunSummary]) -> str:
    """Recovery point and time of the newest drill that measured them beside all of them; empty where none did."""
    said = []
    for name in ("rpo_s", "rto_s"):
        values = [float(value) for run in runs if not run.placebo and (value := getattr(run, name)) is not None]
        if values:
            earlier = f" (between {min(values):.3g} and {max(values):.3g} in {len(values)})" if len(values) > 1 else ""
            said.append(f"{name[:3]} {values[-1]:.3g} s{earlier}")
    return ", ".join(said)
