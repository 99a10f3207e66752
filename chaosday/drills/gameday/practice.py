"""Who practised what, and who is to be next: each person beside each critical system, from the runs and the book."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from chaosday.campaign.summary import RunSummary
from chaosday.clock import Clock
from chaosday.drills.gameday.day import CriticalSystem, GameDay
from chaosday.drills.gameday.practice_book import Entry
from chaosday.drills.gameday.rota import Shift, shifts_in
from chaosday.model.base import Model
from chaosday.safety.guardrails import Window

SURPRISE_S = 3_600.0
"""What a drill by surprise takes at the most: all of it lies in the agreed window."""
_MINUTE = timedelta(minutes=1)
LOOKED_AT = 366 * 24 * 60
"""So many minutes of somebody's shifts are looked at for one that lies in a window."""


class Practised(Model):
    """One person and one system. A drill counts for whoever was on call as it began, or is in the book for it."""

    person: str
    system: str
    state: Literal["fresh", "overdue", "never"]
    last: str = ""
    """RFC 3339 of the last drill."""
    run: str = ""
    """The run that it was; empty for one at a table."""
    drills: int = 0

    @property
    def words(self) -> str:
        """In a line."""
        if self.state == "never":
            return f"never drilled: {self.person} with {self.system}"
        by = f" ({self.run or 'at a table'})"
        return f"{self.state}: {self.person} with {self.system}: last on {self.last[:10]}{by}, {self.drills} in all"


class Proposal(Model):
    """The next drill: for whoever is stalest, in a shift of theirs; ``at`` is a surprise to all but who asks."""

    person: str
    system: str
    experiment: str = ""
    at: str = ""
    words: str


def rota_of(day: GameDay, folder: Path) -> list[Shift]:
    """All shifts that the file names, and those of the iCal file beside it (``folder`` is where it lies)."""
    written = list(day.rota)
    if day.rota_file is not None:
        written += shifts_in(folder / day.rota_file, _people(day))
    return sorted(written, key=lambda each: each.start)


def practised(
    day: GameDay, shifts: Sequence[Shift], runs: Iterable[RunSummary], entries: Iterable[Entry], clock: Clock
) -> list[Practised]:
    """Each person with each system, the dearest system first; a placebo or a run that proved nothing is no practice."""
    drills: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
    titles: dict[str, list[str]] = {}
    for system in day.systems:
        for title in system.experiments:
            titles.setdefault(title, []).append(system.name)
    for run in runs:
        if run.counts and run.title in titles:
            for person in {shift.person for shift in shifts if shift.holds(run.day)}:
                for name in titles[run.title]:
                    drills.setdefault((person.casefold(), name), []).append((run.day, run.run))
    for entry in entries:
        if entry.event == "tabletop":
            drills.setdefault((entry.person.casefold(), entry.system), []).append((entry.moment, ""))
    now = datetime.fromtimestamp(clock.wall_ns() / 1e9, UTC)
    names = list(dict.fromkeys([*_people(day), *(shift.person for shift in shifts if shift.person)]))
    return [
        _practised(person, system, drills.get((person.casefold(), system.name), []), now)
        for system in sorted(day.systems, key=lambda each: -(each.downtime_cost_per_minute or 0))
        for person in names
    ]


def proposed(
    day: GameDay, shifts: Sequence[Shift], known: Sequence[Practised], clock: Clock, seed: int | None = None
) -> Proposal | None:
    """The next drill for whoever is stalest: never before long ago, then the dearest system. None where all are fresh.

    ``seed`` makes its moment a surprise: one drawn from those of the person's next shift that lie in an agreed window.
    """
    stale = [each for each in known if each.state != "fresh"]
    if not stale:
        return None
    # The order of ``known`` is that of cost, and sorting keeps it among those that are equal.
    stalest = min(stale, key=lambda each: each.last)
    system = next(each for each in day.systems if each.name == stalest.system)
    experiment = system.experiments[0] if system.experiments else ""
    now = datetime.fromtimestamp(clock.wall_ns() / 1e9, UTC)
    theirs = [each for each in shifts if each.person.casefold() == stalest.person.casefold() and each.end > now]
    at, why = _moment(theirs, day.surprise, now, seed)
    what = experiment or "something at a table: no experiment is named for it"
    return Proposal(
        person=stalest.person, system=stalest.system, experiment=experiment, at=at.isoformat() if at else "",
        words=f"next: {stalest.person} with {stalest.system}: {what}, {why}; {stalest.words}",
    )  # fmt: skip


def _practised(person: str, system: CriticalSystem, drills: list[tuple[datetime, str]], now: datetime) -> Practised:
    past = [each for each in drills if each[0] <= now]
    if not past:
        return Practised(person=person, system=system.name, state="never")
    last, run = max(past)
    fresh = now - last <= timedelta(days=system.drill_every_days)
    return Practised(
        person=person, system=system.name, state="fresh" if fresh else "overdue", last=last.isoformat(), run=run,
        drills=len(past),
    )  # fmt: skip


def _moment(
    shifts: Sequence[Shift], windows: Sequence[Window], now: datetime, seed: int | None
) -> tuple[datetime | None, str]:
    if not shifts:
        return None, "whenever they are on call next: the rota does not say"
    if seed is None:
        start = max(shifts[0].start, now)
        return start, f"in their shift from {shifts[0].start:%Y-%m-%d %H:%M}"
    if not windows:
        return None, "and no window for surprises is agreed: write one under 'surprise'"
    left = LOOKED_AT
    for shift in shifts:
        minutes = list(itertools.islice(_minutes(shift, now), left))
        left -= len(minutes)
        if moments := [each for each in minutes if any(window.holds(each, SURPRISE_S) for window in windows)]:
            return random.Random(seed).choice(moments), "by surprise"
    return None, "and no shift of theirs lies in an agreed window"


def _minutes(shift: Shift, now: datetime) -> Iterator[datetime]:
    """Each minute of a shift's next 31 days from which a whole drill fits."""
    moment = max(shift.start, now).astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
    last = min(shift.end, moment + timedelta(days=31)) - timedelta(seconds=SURPRISE_S)
    while moment <= last:
        yield moment
        moment += _MINUTE


def _people(day: GameDay) -> list[str]:
    """Who has to be able to repair it: the teams, and whoever owns a system; others only lead, watch and write."""
    named = [each.name for each in day.people if each.role == "team"] + [each.owner for each in day.systems]
    return list(dict.fromkeys(name.strip() for name in named if name.strip()))
