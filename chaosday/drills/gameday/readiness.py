"""The readiness gate: everything that has to be known before anything is hurt, and what of it is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chaosday.drills.gameday.day import CriticalSystem, GameDay
from chaosday.model.base import Model
from chaosday.model.target import Target
from chaosday.safety.reading import asked

NEEDED_ROLES = ("leader", "observer", "stopper", "team")


class Gap(Model):
    """One thing that is missing: the field, and what to do about it."""

    where: str
    words: str

    @property
    def line(self) -> str:
        """For a person."""
        return f"{self.where}: {self.words}"


def gaps(day: GameDay) -> list[Gap]:
    """Everything missing from what was written down; pure. Empty where the day may begin, as far as paper goes."""
    return [*_systems(day), *_people(day), *_abort(day), *_flags(day), *_outages(day)]


def monitors_now(day: GameDay, targets: Mapping[str, Target]) -> list[Gap]:
    """Monitors and guards that are not healthy right now: a day that starts on a sick system tells nothing."""
    found = []
    named = [(f"monitor {monitor.name}", monitor.probe) for monitor in day.monitors()]
    named += [(f"abort guard {guard.probe.kind}", guard.probe) for guard in day.guards()]
    for name, probe in named:
        reading = asked(probe, targets[probe.target])
        if reading.healthy is None:
            found.append(Gap(where=name, words=f"it gives no answer ({reading.words}); make it work before the day"))
        elif not reading.healthy:
            found.append(Gap(where=name, words=f"it is not healthy before anything was hurt: {reading.words}"))
    for system in day.systems:
        if (budget := system.error_budget) is not None and not (
            reading := asked(budget, targets[budget.target])
        ).healthy:
            why = "nobody knows what is left" if reading.healthy is None else "nothing is left to spend"
            found.append(Gap(where=f"error budget of {system.name}", words=f"{why}: {reading.words}"))
    return found


def _systems(day: GameDay) -> Iterable[Gap]:
    if not day.systems:
        yield Gap(where="systems", words="name the critical systems that this day is about, at least one")
    for number, system in enumerate(day.systems):
        for field, words in _missing_of(system):
            yield Gap(where=f"systems.{number}{f' ({system.name})' if system.name else ''}.{field}", words=words)


def _missing_of(system: CriticalSystem) -> Iterable[tuple[str, str]]:
    if not system.name.strip():
        yield "name", "give it a name"
    if not system.owner.strip():
        yield "owner", "name the person who decides about it"
    if not system.contact.strip():
        yield "contact", "say how the owner is reached during the day"
    if not system.slo.strip():
        yield "slo", "say what its users are promised, with a number"
    if system.downtime_cost_per_minute is None:
        yield "downtime_cost_per_minute", "say what a minute without it costs; an agreed estimate will do"
    if not system.monitors:
        yield "monitors", "say which signal tells within a minute that its users are hurt"


def _people(day: GameDay) -> Iterable[Gap]:
    roles = {person.role for person in day.people if person.name.strip()}
    for role in NEEDED_ROLES:
        if role not in roles:
            yield Gap(where="people", words=f"nobody has the role {role}")
    for number, person in enumerate(day.people):
        if not person.name.strip():
            yield Gap(where=f"people.{number}.name", words="say who it is")
        elif not person.contact.strip():
            yield Gap(where=f"people.{number} ({person.name}).contact", words="say how to reach this person")
    writers = {p.name.strip().casefold() for p in day.people if p.role == "observer"} - {""}
    if playing := writers & {p.name.strip().casefold() for p in day.people if p.role == "team"}:
        yield Gap(
            where="people", words=f"{', '.join(sorted(playing))} cannot play and observe: an observer only writes"
        )


def _abort(day: GameDay) -> Iterable[Gap]:
    if not day.abort:
        yield Gap(where="abort", words="say what ends the day at once, at least one criterion")
    for number, criterion in enumerate(day.abort):
        if not criterion.when.strip():
            yield Gap(where=f"abort.{number}.when", words="say in words what ends the day")
        if criterion.guard is None and not criterion.watched_by.strip():
            yield Gap(where=f"abort.{number}", words="nobody watches it: give it a guard, or a name in watched_by")


def _flags(day: GameDay) -> Iterable[Gap]:
    hunted = any(phase.kind == "hunt" for phase in day.phases)
    if hunted and not day.flags.options:
        yield Gap(where="flags.options", words="the hunt has nothing to hide; add options, or leave the phase out")
    if day.flags.options and not hunted:
        yield Gap(where="phases", words="flags are given, and no phase is the hunt")
    for number, option in enumerate(day.flags.options):
        where = f"flags.options.{number} ({option.name})"
        if not option.where.strip():
            yield Gap(where=f"{where}.where", words="say what a team has to name to localise it")
        if option.fault.irreversible:
            yield Gap(where=f"{where}.fault", words=f"{option.fault.kind} cannot be undone; a flag has to be")
    if hunted and len(day.flags.options) > 1 and len(day.places()) < 2:
        yield Gap(where="flags.options", words="all flags are in one place, so that to name it says nothing")


def _outages(day: GameDay) -> Iterable[Gap]:
    if day.outages.first is None or day.outages.since is None:
        yield Gap(
            where="outages", words="say from which day on incidents are on record (first), and since when you practise"
        )
    names = {system.name for system in day.systems}
    for number, outage in enumerate(day.outages.outages):
        if outage.system not in names and outage.cost is None:
            yield Gap(
                where=f"outages.outages.{number}", words=f"its cost is unknown: {outage.system!r} is not a system"
            )
