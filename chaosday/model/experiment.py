"""The Experiment: a value that says what is believed, what will be hurt, and how damage would be seen."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any, ClassVar, Self, TypeVar

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from chaosday.errors import InvalidExperiment, UnknownName, UsageError
from chaosday.model.action import Reversible
from chaosday.model.any_of import any_of
from chaosday.model.base import Model
from chaosday.model.document import of_known_format, read_mapping
from chaosday.model.target import Target
from chaosday.registry import member

ENVIRONMENT = r"^[A-Za-z0-9_.-]{1,40}$"
KIND = ("kind", "experiment")
"""What a file may say of itself, for whoever takes runs of any kind."""

M = TypeVar("M", bound=Model)


class LogLine(Model):
    """A line that a target's log gets from now on; what stood there before does not count."""

    target: str = Field(default="", description="Name of a target with a shell")
    path: str = Field(default="/var/log/syslog", pattern=r"^/[^\n]*$")
    pattern: str = Field(default="ERROR|FATAL|PANIC", min_length=1)
    """An extended regular expression, as grep has it."""


class When(Model):
    """What is waited for: one of a probe's value or health, operations, another fault's bite, a line of a log."""

    probe: any_of("probes") | None = None  # type: ignore[valid-type]
    above: float | None = None
    """The probe's value is greater than this."""
    below: float | None = None
    healthy: bool | None = None
    """The probe is healthy, or is not: no answer is neither."""
    acknowledged: int | None = Field(default=None, ge=1)
    """So many operations were acknowledged since the workloads began."""
    bitten: str = ""
    """A fault of this kind was measured to hit."""
    log: LogLine | None = None
    at_most_s: float = Field(default=60, gt=0, le=86_400)
    """It is waited for so long and no longer; a run in which it never comes is inconclusive."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [self.probe is not None, self.acknowledged is not None, bool(self.bitten), self.log is not None]
        if sum(given) != 1:
            raise ValueError("say one of probe, acknowledged, bitten and log")
        asked = [each is not None for each in (self.above, self.below, self.healthy)]
        if sum(asked) != (self.probe is not None):
            raise ValueError("a probe goes with one of above, below and healthy, and they with a probe")
        return self

    @property
    def words(self) -> str:
        """What is waited for, in words."""
        if self.probe is not None:
            asked = {"above": self.above, "below": self.below, "healthy": self.healthy}
            said = next(f"{name} {value}" for name, value in asked.items() if value is not None)
            return f"{self.probe.kind} on {self.probe.target}: {said}"
        if self.acknowledged is not None:
            return f"{self.acknowledged:,} operations acknowledged"
        return f"{self.bitten} has bitten" if self.log is None else f"a line of {self.log.path}: {self.log.pattern}"


class FaultAt(Model):
    """A fault and when it begins: ``at_s`` seconds after the baseline ended, or after ``when`` came true.

    It lasts until the faults are undone, ``for_s``, or ``until`` something comes true, whichever is first; ``times``
    says how often, with ``pause_s`` in between.
    """

    at_s: float = Field(default=0, ge=0, le=86_400)
    fault: any_of("faults")  # type: ignore[valid-type]
    when: When | None = None
    for_s: float | None = Field(default=None, gt=0, le=86_400)
    until: When | None = None
    times: int = Field(default=1, ge=1, le=1000)
    pause_s: float = Field(default=1, ge=0, le=86_400)

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.times > 1 and self.for_s is None and self.until is None:
            raise ValueError("times: what is repeated has to end: say for_s or until")
        return self

    @property
    def longest_s(self) -> float:
        """How long after the baseline the last time of it begins at the latest, and where it ends ends."""
        waits_s = self.at_s + (self.when.at_most_s if self.when else 0)
        ends = [each for each in (self.for_s, self.until.at_most_s if self.until else None) if each is not None]
        lasts_s = min(ends, default=0)
        return self.times * (waits_s + lasts_s) + (self.times - 1) * self.pause_s


class RandomFaults(Model):
    """Faults that are drawn by a seed; the plan shows which, and when."""

    faults: list[any_of("faults")] = []  # type: ignore[valid-type]
    count: int = Field(default=1, ge=1, le=100)
    """How many; none twice before each was drawn once."""
    seed: int = Field(default=1, ge=0)
    within_s: float = Field(default=10, ge=0, le=86_400)
    """When the last one begins at the latest."""

    def drawn(self) -> list[FaultAt]:
        """The same for the same seed."""
        rng, found = Random(self.seed), list[Any]()
        while self.faults and len(found) < self.count:
            found += rng.sample(self.faults, min(len(self.faults), self.count - len(found)))
        return [FaultAt(at_s=round(rng.uniform(0, self.within_s), 1), fault=fault) for fault in found]


class BlastRadius(Model):
    """How much may be hurt at once, counted on what a selection resolves to, never on what it says."""

    max_targets: int = Field(default=1, ge=1, le=1000)
    """How many things one fault may affect (hosts, process trees, routes, objects)."""


class Settle(Model):
    """Waiting until the system is itself again: a probe that has to answer several times in a row."""

    probe: any_of("probes") | None = None  # type: ignore[valid-type]
    timeout_s: float = Field(default=30, gt=0)
    successes: int = Field(default=3, ge=1)
    every_s: float = Field(default=0.1, gt=0)


class Guard(Model):
    """A probe that stops the run when it breaches ``breaches`` times out of its last ``window`` readings.

    No answer is a breach: a lost signal is no sign of health.
    """

    probe: any_of("probes")  # type: ignore[valid-type]
    breaches: int = Field(default=3, ge=1)
    window: int = Field(default=5, ge=1)
    every_s: float = Field(default=1, gt=0)


class Experiment(Model):
    """One experiment, complete: the same value gives the same plan, and the same seed the same choices."""

    acting: ClassVar[tuple[str, ...]] = ("actions", "repairs")
    """Fields with lists of actions."""
    asking: ClassVar[tuple[str, ...]] = ()
    """Fields with lists of probes, beside those that every experiment has."""
    title: str = Field(default="untitled", min_length=1, max_length=120)
    hypothesis: str = "No acknowledged write is lost, corrupted or contradicted."
    seed: int = Field(default=1, ge=0)
    targets: dict[str, any_of("targets")] = {}  # type: ignore[valid-type]
    workloads: list[any_of("workloads")] = []  # type: ignore[valid-type]
    faults: list[FaultAt] = []
    random: RandomFaults | None = None
    """More faults, drawn by a seed."""
    actions: list[any_of("actions")] = []  # type: ignore[valid-type]
    """What brings the service back while the faults are still on: a failover."""
    repairs: list[any_of("actions")] = []  # type: ignore[valid-type]
    """What is done after the faults have been undone: a rejoin."""
    guards: list[Guard] = []
    steady_state: list[any_of("probes")] = []  # type: ignore[valid-type]
    """Has to be healthy before anything is injected, and again at the end."""
    settle: Settle = Settle()
    evidence: list[any_of("probes")] = []  # type: ignore[valid-type]
    """Read once more after everything has settled, and kept for the checks."""
    checks: list[any_of("checks")] = []  # type: ignore[valid-type]
    blast_radius: BlastRadius = BlastRadius()
    environment: str = Field(default="test", pattern=ENVIRONMENT)
    """Where the targets belong; ``production`` is refused unless the guardrails name it."""
    rehearsal_s: float = Field(default=0, ge=0, le=60)
    """Before the full dose, inject each fault for so long and undo it; 0 is no rehearsal."""
    baseline_s: float = Field(default=2, ge=0, le=3600)
    baseline_at_most_s: float = Field(default=0, ge=0, le=3600)
    """The baseline goes on for so long, on a slow machine, until enough is acknowledged for ``loss_rate_to_see``."""
    fault_window_s: float = Field(default=3, ge=0, le=86_400)
    """How long after the last fault started the actions begin."""
    after_s: float = Field(default=1, ge=0, le=3600)
    """How long the workload goes on after everything has settled."""
    loss_rate_to_see: float = Field(default=0.01, gt=0, lt=1)
    """A run with too few acknowledged operations to see this loss rate with 95 % confidence is inconclusive."""
    least_share_met: float = Field(default=0, ge=0, le=1)
    """The share that has to meet each fault: of the requests of clients, where the proxy counts them; else of the
    workload's operations under way meanwhile, those that did not succeed or took longer than 99 % of those before."""
    sight_budget_s: float = Field(default=20, gt=0, le=3600)
    must_see: list[str] | None = None
    """Corruption classes that the checks have to catch; None is every class that applies."""

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        if not self.targets:
            raise ValueError("targets: name at least one target")
        if not self.workloads:
            raise ValueError("workloads: at least one is needed, or there is nothing to lose")
        if not self.checks:
            raise ValueError("checks: at least one is needed, or nothing would be looked at")
        for where, item in self._parts():
            name = item.target
            if name not in self.targets:
                known = ", ".join(sorted(self.targets))
                raise ValueError(f"{where}: no target is called {name!r}; there are {known}")
        for name, target in self.targets.items():
            via = getattr(target, "via", "")
            if via and (via not in self.targets or via == name):
                raise ValueError(f"targets.{name}.via: no route is called {via!r}")
        kinds = {each.fault.kind for each in self.schedule()}
        for where, condition in self.conditions():
            if condition.bitten and condition.bitten not in kinds:
                raise ValueError(f"{where}.bitten: no fault here is a {condition.bitten}")
            own = where.endswith(".when") and self.faults[int(where.split(".")[1])].fault.kind == condition.bitten
            if own and [each.fault.kind for each in self.schedule()].count(condition.bitten) == 1:
                raise ValueError(f"{where}.bitten: no other fault here is a {condition.bitten}; it waits for itself")
        scopes = [workload.kind for workload in self.workloads]
        if len(scopes) != len(set(scopes)):
            raise ValueError("workloads: each kind at most once")
        return self

    @model_validator(mode="after")
    def _actions_end(self) -> Self:
        for field in self.acting:
            for number, action in enumerate(getattr(self, field)):
                if isinstance(action, Reversible) and (lacking := action.lacking()):
                    raise ValueError(f"{field}.{number}: {lacking}")
        return self

    def schedule(self) -> list[FaultAt]:
        """Its faults and those that are drawn, in the order of ``at_s``."""
        drawn = self.random.drawn() if self.random else []
        return sorted([*self.faults, *drawn], key=lambda each: each.at_s)

    def conditions(self) -> list[tuple[str, When]]:
        """What its faults wait for, each with its place."""
        listed = enumerate(self.faults)
        named = [(f"faults.{n}.{name}", getattr(each, name)) for n, each in listed for name in ("when", "until")]
        return [(where, each) for where, each in named if each is not None]

    def _parts(self) -> list[tuple[str, Any]]:
        parts: list[tuple[str, Any]] = [(f"faults.{n}", each.fault) for n, each in enumerate(self.faults)]
        for field in ("workloads", *self.acting, "steady_state", "evidence", *self.asking):
            parts += [(f"{field}.{n}", item) for n, item in enumerate(getattr(self, field))]
        parts += [(f"guards.{n}", guard.probe) for n, guard in enumerate(self.guards)]
        parts += [(f"random.faults.{n}", each) for n, each in enumerate(self.random.faults if self.random else [])]
        for where, each in self.conditions():
            parts += [
                (f"{where}.{name}", part) for name in ("probe", "log") if (part := getattr(each, name)) is not None
            ]
        if self.settle.probe is not None:
            parts.append(("settle.probe", self.settle.probe))
        return parts


def load(path: Path) -> Experiment:
    """Read an experiment from YAML or JSON through the strict door: an unknown field is an error that names it."""
    try:
        return parse({name: value for name, value in read_mapping(path).items() if (name, value) != KIND})
    except UsageError as error:
        raise type(error)(_placed(path, error)) from None


def load_targets(path: Path) -> dict[str, Target]:
    """The targets of a file of any kind, or of one that has nothing else: what ``recover`` is pointed at."""
    content = read_mapping(path)
    # A restore drill has one target, and a word of its own for it.
    data = {"source": content["source"]} if "targets" not in content and "source" in content else content.get("targets")
    try:
        return dict(_TARGETS.validate_python(data, extra="forbid"))
    except ValidationError as error:
        raise InvalidExperiment(f"{path}: targets: {in_words(error)}") from None


def _placed(path: Path, error: UsageError) -> str:
    """The message with the file's name before it, once."""
    words = str(error)
    return words if words.startswith(f"{path}: ") else f"{path}: {words}"


_TARGETS: TypeAdapter[dict[str, Target]] = TypeAdapter(dict[str, any_of("targets")])  # type: ignore[misc,arg-type]


def parse(data: dict[str, Any]) -> Experiment:
    """Validate plain data through the strict door."""
    return validated(Experiment, of_known_format(data))


def validated(model: type[M], data: dict[str, Any], where: str = "") -> M:
    """A value of ``model`` from plain data, an unknown field being an error; ``where`` goes before its words."""
    try:
        return model.model_validate(data, extra="forbid")
    except ValidationError as error:
        raise InvalidExperiment(f"{where}{in_words(error)}") from None
    except RecursionError:
        raise InvalidExperiment(f"{where}nested too deeply") from None


def in_words(error: ValidationError) -> str:
    """The first few validation errors in one line; input values are left out, they may be secrets."""
    lines = []
    problems = error.errors(include_url=False, include_input=False, include_context=True)
    for problem in problems[:3]:
        where = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "union_tag_invalid":
            message = _unknown_kind(problem)
        elif problem["type"] == "union_tag_not_found":
            message = "say which one with the field 'kind'"
        elif problem["type"] == "extra_forbidden":
            message = "there is no such field"
        # A key or a value of the file may hold line ends.
        lines.append(" ".join((f"{where}: {message}" if where else message).split())[:300])
    more = len(problems) - 3
    return "; ".join(lines) + (f" (and {more} more)" if more > 0 else "")


def _unknown_kind(problem: Any) -> str:
    tag = str(problem.get("ctx", {}).get("tag", ""))
    place = [str(part) for part in problem["loc"]]
    family = next((FAMILY_OF[part] for part in reversed(place) if part in FAMILY_OF), "")
    if not family:
        return f"unknown kind {tag!r}"
    try:
        member(family, tag)
    except UnknownName as error:
        return str(error)
    return f"{tag!r} does not belong here"


FAMILY_OF = {
    "targets": "targets",
    "workloads": "workloads",
    "fault": "faults",
    "actions": "actions",
    "repairs": "actions",
    "back": "actions",
    "sides": "probes",
    "probe": "probes",
    "steady_state": "probes",
    "evidence": "probes",
    "checks": "checks",
}
