"""What runs of any kind may do here, whatever their files say: judged on what was resolved, before it is touched."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time
from fnmatch import fnmatchcase
from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from chaosday.model.base import Model
from chaosday.model.intent import Intent

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PRODUCTION = ("prod", "production", "live")
_SEPARATORS = re.compile(r"[\s/@:,=\[\]()]+")
_SHELL = re.compile(r"[;&|`$<>()\\\n\r]")


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
    """Shell patterns of what no run may touch, whatever its file calls it: names of targets, hosts, addresses,
    databases, buckets, files, and what faults resolve to. Upper and lower case are the same; parts of an address count.
    """
    allowed_faults: list[str] = ["*"]
    """Shell patterns of fault kinds."""
    allowed_commands: list[str] = ["*"]
    """Shell patterns of the commands that probes, actions and targets may run; no wildcard but a lone ``*`` stands for
    what a shell would take for a second command."""
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

    def refusals(self, intent: Intent, moment: datetime) -> list[str]:
        """Every reason why this run may not begin now, as far as its own words tell."""
        return [
            *self._where(intent),
            *self._what(intent),
            *self._how_long(intent),
            *self._when(intent, moment),
        ]

    def refusals_of(self, affected: list[str]) -> list[str]:
        """Every reason why what its faults resolved to may not be hurt: a name, or their number."""
        reasons = self._protected(affected)
        if len(affected) > self.max_targets:
            limit = f"the guardrails allow {self.max_targets}"
            reasons.append(f"max_targets: the experiment resolves to {len(affected)}, {limit}")
        return reasons

    def needs_approval(self, intent: Intent) -> list[str]:
        """The kinds of its faults, and of its actions, to which a second person has to agree."""
        kinds = {fault.kind: fault.irreversible for fault in intent.faults}
        acts = {f"action {kind}" for kind in intent.irreversible}
        return sorted({*acts, *(kind for kind, lasting in kinds.items() if lasting or _fits(kind, self.approval_for))})

    def _where(self, intent: Intent) -> list[str]:
        environment = intent.environment
        if self.environments:
            allowed = environment in self.environments
            return [] if allowed else [f"environments: {environment} is none of {', '.join(self.environments)}"]
        if {*re.split(r"[-_.]", environment.lower())} & {*PRODUCTION}:
            return [f"environments: {environment} is refused unless the guardrails name it"]
        return []

    def _what(self, intent: Intent) -> list[str]:
        reasons = self._protected(intent.things())
        if strange := sorted({fault.kind for fault in intent.faults if not _fits(fault.kind, self.allowed_faults)}):
            reasons.append(f"allowed_faults: {', '.join(strange)} is not among them")
        if strange := [command for command in intent.commands if not _may_run(command, self.allowed_commands)]:
            reasons.append(f"allowed_commands: {' '.join(strange[0].split())[:100]!r} is not among them")
        if (count := intent.max_targets) > self.max_targets:
            limit = f"the guardrails allow {self.max_targets}"
            reasons.append(f"max_targets: the experiment allows itself {count}, {limit}")
        return reasons

    def _protected(self, things: Iterable[str]) -> list[str]:
        named = sorted(thing for thing in set(things) if _is_protected(thing, self.protected_names))
        return [f"protected_names: {', '.join(named)} may not be touched"] if named else []

    def _how_long(self, intent: Intent) -> list[str]:
        reasons = []
        if intent.length_s > self.max_duration_s:
            limit = f"the guardrails allow {self.max_duration_s:g} s"
            reasons.append(f"max_duration_s: the experiment takes {intent.length_s:g} s, {limit}")
        for fault in intent.faults:
            if fault.ttl_s > self.max_ttl_s:
                limit = f"the guardrails allow {self.max_ttl_s:g} s"
                reasons.append(f"max_ttl_s: {fault.kind} asks for {fault.ttl_s:g} s, {limit}")
        return reasons

    def _when(self, intent: Intent, moment: datetime) -> list[str]:
        length_s = intent.length_s
        reasons = [f"freezes: {freeze.why}, until {freeze.last}" for freeze in self.freezes if freeze.holds(moment)]
        if self.windows and not any(window.holds(moment, length_s) for window in self.windows):
            reasons.append(
                f"windows: {length_s:g} s from {moment.isoformat(timespec='minutes')} on lie in none of them"
            )
        return reasons


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


def _is_protected(thing: str, patterns: list[str]) -> bool:
    """Whether the thing or a part of it fits: the host of an address, the folder in a path."""
    parts = {thing, *_SEPARATORS.split(thing)} - {""}
    folded = [pattern.casefold() for pattern in patterns]
    return any(_fits(part.casefold(), folded) for part in parts)


def _may_run(command: str, patterns: list[str]) -> bool:
    """``dbt test*`` allows ``dbt test --select orders`` and not ``dbt test; rm -rf /``."""
    plain = not _SHELL.search(command)
    return any(pattern in ("*", command) or (plain and fnmatchcase(command, pattern)) for pattern in patterns)


def _seconds(text: str) -> int:
    if text == "24:00":
        return 86_400
    at = time.fromisoformat(text)
    return (at.hour * 60 + at.minute) * 60
