"""The Experiment: a value that says what is believed, what will be hurt, and how damage would be seen."""

from __future__ import annotations

from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from chaosday.errors import InvalidExperiment, UnknownName
from chaosday.model.base import Model
from chaosday.model.document import read_mapping
from chaosday.model.target import Target
from chaosday.registry import member, members

ENVIRONMENT = r"^[A-Za-z0-9_.-]{1,40}$"
KIND = ("kind", "experiment")
"""What a file may say of itself, for whoever takes runs of any kind."""

M = TypeVar("M", bound=Model)


def any_of(family: str) -> Any:
    """The union over a family, told apart by ``kind``: a new member is in it unasked."""
    kinds = list(members(family).values())
    return Annotated[reduce(or_, kinds), Field(discriminator="kind")]


class FaultAt(Model):
    """A fault and when it starts, in seconds after the baseline ended."""

    at_s: float = Field(default=0, ge=0, le=86_400)
    fault: any_of("faults")  # type: ignore[valid-type]


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

    title: str = Field(default="untitled", min_length=1, max_length=120)
    hypothesis: str = "No acknowledged write is lost, corrupted or contradicted."
    seed: int = Field(default=1, ge=0)
    targets: dict[str, any_of("targets")] = {}  # type: ignore[valid-type]
    workloads: list[any_of("workloads")] = []  # type: ignore[valid-type]
    faults: list[FaultAt] = []
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
        scopes = [workload.kind for workload in self.workloads]
        if len(scopes) != len(set(scopes)):
            raise ValueError("workloads: each kind at most once")
        return self

    def _parts(self) -> list[tuple[str, Any]]:
        parts: list[tuple[str, Any]] = [(f"faults.{n}", each.fault) for n, each in enumerate(self.faults)]
        for field in ("workloads", "actions", "repairs", "steady_state", "evidence"):
            parts += [(f"{field}.{n}", item) for n, item in enumerate(getattr(self, field))]
        parts += [(f"guards.{n}", guard.probe) for n, guard in enumerate(self.guards)]
        if self.settle.probe is not None:
            parts.append(("settle.probe", self.settle.probe))
        return parts


def load(path: Path) -> Experiment:
    """Read an experiment from YAML or JSON through the strict door: an unknown field is an error that names it."""
    try:
        return parse({name: value for name, value in read_mapping(path).items() if (name, value) != KIND})
    except InvalidExperiment as error:
        raise InvalidExperiment(_placed(path, error)) from None


def load_targets(path: Path) -> dict[str, Target]:
    """The targets of a file of any kind, or of one that has nothing else: what ``recover`` is pointed at."""
    content = read_mapping(path)
    # A restore drill has one target, and a word of its own for it.
    data = {"source": content["source"]} if "targets" not in content and "source" in content else content.get("targets")
    try:
        return dict(_TARGETS.validate_python(data, extra="forbid"))
    except ValidationError as error:
        raise InvalidExperiment(f"{path}: targets: {in_words(error)}") from None


def _placed(path: Path, error: InvalidExperiment) -> str:
    """The message with the file's name before it, once."""
    words = str(error)
    return words if words.startswith(f"{path}: ") else f"{path}: {words}"


_TARGETS: TypeAdapter[dict[str, Target]] = TypeAdapter(dict[str, any_of("targets")])  # type: ignore[misc,arg-type]


def parse(data: dict[str, Any]) -> Experiment:
    """Validate plain data through the strict door."""
    return validated(Experiment, data)


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
    "probe": "probes",
    "steady_state": "probes",
    "evidence": "probes",
    "checks": "checks",
}
