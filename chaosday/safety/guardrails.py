"""What experiments may do here, whatever their files say: judged on what was resolved, before anything is touched."""

from __future__ import annotations

from datetime import UTC, datetime, time
from fnmatch import fnmatchcase
from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from chaosday.model.base import Model
from chaosday.model.experiment import Experiment

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PRODUCTION = ("prod", "production", "live")


class Window(Model):
    """Hours of the week in which faults may be on, ``start`` to ``end`` (HH:MM, the end not included)."""

    days: list[Day] = ["mon", "tue", "wed", "thu", "fri"]
    start: str = Field(default="09:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    end: str = Field(default="16:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")
    time_zone: str = "UTC"

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"there is no time zone {value!r}; write it as in Europe/Berlin") from None
        return value

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.end <= self.start:
            raise ValueError("end comes after start; write two windows for one that passes midnight")
        return self

    def holds(self, moment: datetime, length_s: float) -> bool:
        """Whether all of ``length_s`` from ``moment`` on lies in one day's window."""
        local = moment.astimezone(ZoneInfo(self.time_zone))
        if DAYS[local.weekday()] not in self.days:
            return False
        into_day_s = (local.hour * 60 + local.minute) * 60 + local.second
        return _seconds(self.start) <= into_day_s and into_day_s + length_s <= _seconds(self.end)


class Freeze(Model):
    """Days on which nothing is hurt: ``first`` to ``last``, both included, as YYYY-MM-DD in ``time_zone``."""

    first: str = Field(default="2000-01-01", pattern=r"^\d{4}-\d\d-\d\d$")
    last: str = Field(default="2000-01-01", pattern=r"^\d{4}-\d\d-\d\d$")
    why: str = "freeze"
    time_zone: str = "UTC"

    def holds(self, moment: datetime) -> bool:
        """Whether the moment falls into it."""
        day = moment.astimezone(ZoneInfo(self.time_zone)).date().isoformat()
        return self.first <= day <= self.last


class Guardrails(Model):
    """Limits that hold whatever an experiment says; the stricter of the two wins.

    ``refusals`` gives every reason at once. An environment that sounds like production is refused unless it
    is named in ``environments``.
    """

    environments: list[str] = []
    """Environments that experiments may run in; empty is all that do not sound like production."""
    protected_names: list[str] = []
    """Shell patterns of targets that no experiment may name, and of things that none may hurt."""
    allowed_faults: list[str] = ["*"]
    """Shell patterns of fault kinds."""
    max_targets: int = Field(default=1, ge=1, le=10_000)
    """How many things one experiment may hurt at once, counted on what was resolved."""
    max_duration_s: float = Field(default=900, gt=0)
    """Baseline, fault window and aftermath together."""
    max_ttl_s: float = Field(default=300, gt=0)
    """The longest lease: how long a fault may outlive its orchestrator."""
    late_tolerance_s: float = Field(default=300, ge=0)
    """A run that starts later than this after its scheduled time injects nothing."""
    windows: list[Window] = []
    """Faults may be on only in one of these; empty is any time."""
    freezes: list[Freeze] = []
    approval_for: list[str] = []
    """Shell patterns of fault kinds for which a second person has to agree; irreversible ones always need it."""

    def refusals(self, experiment: Experiment, moment: datetime) -> list[str]:
        """Every reason why this experiment may not run now, as far as its own words tell."""
        return [
            *self._where(experiment),
            *self._what(experiment),
            *self._how_long(experiment),
            *self._when(experiment, moment),
        ]

    def refusals_of(self, affected: list[str]) -> list[str]:
        """Every reason why what its faults resolved to may not be hurt: a name, or their number."""
        named = sorted(thing for thing in affected if _fits(thing, self.protected_names))
        reasons = [f"protected_names: {', '.join(named)} may not be touched"] if named else []
        if len(affected) > self.max_targets:
            limit = f"the guardrails allow {self.max_targets}"
            reasons.append(f"max_targets: the experiment resolves to {len(affected)}, {limit}")
        return reasons

    def needs_approval(self, experiment: Experiment) -> list[str]:
        """The kinds of its faults to which a second person has to agree."""
        kinds = {each.fault.kind: each.fault.irreversible for each in experiment.faults}
        return sorted(kind for kind, lasting in kinds.items() if lasting or _fits(kind, self.approval_for))

    def _where(self, experiment: Experiment) -> list[str]:
        environment = experiment.environment
        if self.environments:
            allowed = environment in self.environments
            return [] if allowed else [f"environments: {environment} is none of {', '.join(self.environments)}"]
        if environment.lower() in PRODUCTION:
            return [f"environments: {environment} is refused unless the guardrails name it"]
        return []

    def _what(self, experiment: Experiment) -> list[str]:
        reasons = []
        if named := sorted(name for name in experiment.targets if _fits(name, self.protected_names)):
            reasons.append(f"protected_names: {', '.join(named)} may not be touched")
        strange = sorted({f.fault.kind for f in experiment.faults if not _fits(f.fault.kind, self.allowed_faults)})
        if strange:
            reasons.append(f"allowed_faults: {', '.join(strange)} is not among them")
        if (count := experiment.blast_radius.max_targets) > self.max_targets:
            limit = f"the guardrails allow {self.max_targets}"
            reasons.append(f"max_targets: the experiment allows itself {count}, {limit}")
        return reasons

    def _how_long(self, experiment: Experiment) -> list[str]:
        reasons = []
        if (length_s := length_of(experiment)) > self.max_duration_s:
            limit = f"the guardrails allow {self.max_duration_s:g} s"
            reasons.append(f"max_duration_s: the experiment takes {length_s:g} s, {limit}")
        for each in experiment.faults:
            if each.fault.ttl_s > self.max_ttl_s:
                limit = f"the guardrails allow {self.max_ttl_s:g} s"
                reasons.append(f"max_ttl_s: {each.fault.kind} asks for {each.fault.ttl_s:g} s, {limit}")
        return reasons

    def _when(self, experiment: Experiment, moment: datetime) -> list[str]:
        length_s = length_of(experiment)
        reasons = [f"freezes: {freeze.why}, until {freeze.last}" for freeze in self.freezes if freeze.holds(moment)]
        if self.windows and not any(window.holds(moment, length_s) for window in self.windows):
            reasons.append(
                f"windows: {length_s:g} s from {moment.isoformat(timespec='minutes')} on lie in none of them"
            )
        return reasons


def length_of(experiment: Experiment) -> float:
    """How long it disturbs anything, in seconds, settling apart."""
    last_s = max((each.at_s for each in experiment.faults), default=0)
    return experiment.baseline_s + last_s + experiment.fault_window_s + experiment.after_s


def lateness(scheduled_ns: int | None, now_ns: int, tolerance_s: float) -> str:
    """Why a run is too late to inject anything, empty where it is not, or was not scheduled at all."""
    if scheduled_ns is None:
        return ""
    late_s = (now_ns - scheduled_ns) / 1e9
    if late_s <= tolerance_s:
        return ""
    return f"late run: it was due {late_s:.0f} s ago, and {tolerance_s:g} s are tolerated; nothing is injected"


def moment_of(wall_ns: int) -> datetime:
    """A clock's wall reading as a moment."""
    return datetime.fromtimestamp(wall_ns / 1e9, UTC)


def _fits(name: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _seconds(text: str) -> int:
    if text == "24:00":
        return 86_400
    at = time.fromisoformat(text)
    return (at.hour * 60 + at.minute) * 60
