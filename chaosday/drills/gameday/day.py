"""A game day as a value: what has to be known before it starts, its phases, and the flags that may be hidden in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from chaosday.drills.detection.drill import Monitor
from chaosday.drills.gameday.outages import OutageLedger
from chaosday.drills.gameday.rota import Shift
from chaosday.model.any_of import any_of
from chaosday.model.base import Model
from chaosday.model.document import read_mapping
from chaosday.model.experiment import ENVIRONMENT, Guard, validated
from chaosday.safety.guardrails import Window

Role = Literal["leader", "observer", "stopper", "team"]


class CriticalSystem(Model):
    """A system whose loss stops the business. What is empty here is what the readiness gate asks for."""

    name: str = Field(default="", max_length=60)
    owner: str = ""
    contact: str = ""
    """How the owner is reached during the day: a telephone number, a channel."""
    slo: str = ""
    """Its service level objective in words and numbers."""
    downtime_cost_per_minute: float | None = Field(default=None, gt=0)
    """In the ledger's currency; a number that somebody signs beats a precise one."""
    monitors: list[Monitor] = []
    """What tells within a minute that its users are hurt; each has to be healthy at the start."""
    error_budget: any_of("probes") | None = Field(default=None, title="Error budget")  # type: ignore[valid-type]
    """Healthy while the objective leaves something to spend (``prometheus.query``); the day is refused without."""
    depends_on: list[str] = []
    """What it cannot do without: other systems, vendors, people; in the words of its users."""
    experiments: list[str] = []
    """The titles of the experiments that are its practice; ``chaosday campaign --systems`` says when it last was."""
    drill_every_days: float = Field(default=30, gt=0)
    """How old the youngest proof may become."""


class Person(Model):
    """Somebody with a role on the day."""

    name: str = ""
    role: Role = "team"
    """``leader`` starts it, ``observer`` only writes, ``stopper`` watches the abort criteria; the ``team`` plays."""
    contact: str = ""


class AbortCriterion(Model):
    """What ends the day at once: read by a guard, or watched by somebody by name."""

    when: str = ""
    watched_by: str = ""
    guard: Guard | None = Field(default=None, title="Guard")


class Phase(Model):
    """One part of the day. ``hunt`` is the one in which flags are hidden; there is at most one."""

    name: str = Field(default="phase", min_length=1, max_length=60)
    kind: Literal["talk", "hunt"] = "talk"
    instructions: str = ""
    pause: bool = True
    """Whether a person has to say go before it begins."""


class FlagOption(Model):
    """A flag that may be drawn: a fault, where a team would look for it, and how its mitigation is seen."""

    name: str = Field(default="flag", min_length=1, max_length=80)
    where: str = Field(default="", max_length=80)
    """What a team has to name to localise it: one of the places of all options, which everybody may know."""
    fault: any_of("faults")  # type: ignore[valid-type]
    mitigated: any_of("probes") | None = Field(default=None, title="Mitigated")  # type: ignore[valid-type]
    """Healthy once the users are well again; without it the fault itself is measured: it has to bite no more."""


class CaptureTheFlag(Model):
    """Which flags may be hidden, how many are, and how long each stays."""

    options: list[FlagOption] = []
    draw: int = Field(default=0, ge=0, le=50)
    """How many are drawn, without repetition, in a sealed order; 0 is all of them."""
    seed: int | None = Field(default=None, ge=0, title="Seed")
    """Whoever knows it can draw the same flags. Empty: it is secret, and revealed with the flags."""
    patience_s: float = Field(default=900, gt=0, le=86_400)
    """How long a flag stays at the most; it is undone as soon as its mitigation was seen."""
    gap_min_s: float = Field(default=30, ge=0, le=86_400)
    gap_max_s: float = Field(default=180, ge=0, le=86_400)
    """Quiet before each flag, drawn between the two, so that nobody can tell by the clock when one begins."""
    max_targets: int = Field(default=1, ge=1, le=10_000)
    """How many things one flag may affect."""


class GameDay(Model):
    """Everything about a game day that can be written down before it.

    The parser asks for hardly anything: what is missing is told by ``readiness.gaps``, all at once and in words.
    """

    gameday: Literal["capture the flag"] = "capture the flag"
    title: str = Field(default="game day", min_length=1, max_length=120)
    environment: str = Field(default="test", pattern=ENVIRONMENT)
    """Where the targets belong; ``production`` is refused unless the guardrails name it."""
    targets: dict[str, any_of("targets")] = {}  # type: ignore[valid-type]
    systems: list[CriticalSystem] = []
    people: list[Person] = []
    abort: list[AbortCriterion] = []
    phases: list[Phase] = [
        Phase(name="briefing", instructions="Who does what, what may be touched, and when we stop."),
        Phase(name="hunt", kind="hunt", instructions="Find what is wrong, say where, and mitigate it."),
        Phase(name="debriefing", instructions="What was learnt, and who does what about it until when."),
    ]
    flags: CaptureTheFlag = CaptureTheFlag()
    outages: OutageLedger = OutageLedger()
    rota: list[Shift] = []
    """Who is on call when; ``chaosday practice`` tells from it who was drilled."""
    rota_file: Path | None = Field(default=None, title="Rota file")
    """The same as an iCal file, beside this one: what PagerDuty, Opsgenie and calendars export."""
    surprise: list[Window] = []
    """When a drill may come by surprise, as agreed."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for where, name in self._used():
            if name not in self.targets:
                known = ", ".join(sorted(self.targets)) or "none"
                raise ValueError(f"{where}: no target is called {name!r}; there are {known}")
        if sum(phase.kind == "hunt" for phase in self.phases) > 1:
            raise ValueError("phases: at most one of them may be the hunt")
        names = [option.name for option in self.flags.options]
        if len(set(names)) < len(names):
            raise ValueError("flags.options: each needs a name of its own")
        if self.flags.draw > len(names):
            raise ValueError(f"flags.draw: {self.flags.draw} cannot be drawn from {len(names)} options")
        if self.flags.gap_max_s < self.flags.gap_min_s:
            raise ValueError("flags.gap_max_s: it is less than gap_min_s")
        return self

    def places(self) -> list[str]:
        """What a team may name as the place of a flag; known to everybody."""
        return sorted({option.where for option in self.flags.options if option.where})

    def monitors(self) -> list[Monitor]:
        """Those of all systems."""
        return [monitor for system in self.systems for monitor in system.monitors]

    def guards(self) -> list[Guard]:
        """The abort criteria that a machine reads."""
        return [criterion.guard for criterion in self.abort if criterion.guard is not None]

    def _used(self) -> list[tuple[str, str]]:
        used = [(f"flags.options.{n}.fault", option.fault.target) for n, option in enumerate(self.flags.options)]
        used += [
            (f"flags.options.{n}.mitigated", option.mitigated.target)
            for n, option in enumerate(self.flags.options)
            if option.mitigated is not None
        ]
        for n, system in enumerate(self.systems):
            used += [(f"systems.{n}.monitors.{m}", each.probe.target) for m, each in enumerate(system.monitors)]
            if system.error_budget is not None:
                used.append((f"systems.{n}.error_budget", system.error_budget.target))
        return used + [(f"abort.{n}", guard.probe.target) for n, guard in enumerate(self.guards())]


def load_day(path: Path) -> GameDay:
    """Read a game day from YAML or JSON; an unknown field is an error that names it."""
    fields = {name: value for name, value in read_mapping(path).items() if (name, value) != ("kind", "gameday")}
    return parse_day(fields, f"{path}: ")


def parse_day(data: dict[str, Any], where: str = "") -> GameDay:
    """Validate plain data through the strict door."""
    return validated(GameDay, data, where)
