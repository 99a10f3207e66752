"""What an exploration starts from: an experiment, or an arm of a finding, whose faults are left to be drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from chaosday.drills.finding_file import ArmName, FindingFile, filled, load_finding, merged_of
from chaosday.errors import InvalidExperiment, UsageError
from chaosday.model.base import Model
from chaosday.model.document import of_known_format, read_mapping
from chaosday.model.experiment import KIND, Experiment, parse, validated

Facts = dict[str, Any]
System = Callable[[], AbstractContextManager[Facts]]
"""Starts the system anew for each run, and takes it away; one that stands anyhow has no facts."""


class Allowed(Model):
    """A fault that may be drawn: its fields as in an experiment, places of the lab included."""

    fault: dict[str, Any]
    vary: dict[str, tuple[float, float]] = {}
    """Fields that are drawn, each between its mildest and its hardest value, whichever of them is the greater number.
    """


class Limits(Model):
    """What stands under ``explore`` in a file: what may be drawn, how many at once, and what counts as found."""

    allow: list[Allowed] = []
    faults_at_most: int = Field(default=3, ge=1, le=8)
    within_s: float = Field(default=3, ge=0, le=3600)
    """Faults begin so many seconds after the baseline at the latest."""
    least: int = Field(default=2, ge=1, le=100)
    of: int = Field(default=3, ge=1, le=100)
    """A schedule counts as one that violates where ``least`` of ``of`` runs of it do."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.least > self.of:
            raise ValueError(f"least: {self.least} of {self.of} runs is more than there are")
        return self


@dataclass(frozen=True)
class Base:
    """The experiment as plain data, its places not filled yet, and the faults that its file names in any arm."""

    title: str
    experiment: dict[str, Any]
    named: tuple[dict[str, Any], ...]
    limits: Limits = field(default_factory=Limits)
    lab: str = ""
    lab_options: Facts | None = None
    finding: FindingFile | None = None
    arm: ArmName = "unsound"

    def filled(self, experiment: dict[str, Any], facts: Facts) -> Experiment:
        """A changed copy of it as the value that is run; ``InvalidExperiment`` names the field."""
        return parse(filled(experiment, facts) if self.lab else experiment)


def read_base(path: Path, arm: ArmName = "unsound") -> Base:
    """An experiment's file, a finding's, or one of ``explore`` beside ``experiment``; ``InvalidExperiment`` if none.

    A finding gives one of its arms, and its lab starts the system.
    """
    data = _of_known_format(path)
    if "finding" in data:
        finding = load_finding(path)
        experiment = merged_of(finding, arm)
        both = [*_faults(merged_of(finding, "sound")), *_faults(merged_of(finding, "unsound"))]
        chosen = finding.arm(arm)
        return Base(
            finding.finding, experiment, _once(both), lab=finding.lab, lab_options=chosen.lab,
            finding=finding, arm=arm,
        )  # fmt: skip
    limits = Limits()
    if "explore" in data:
        if unknown := sorted(set(data) - {"explore", "experiment", "kind"}):
            raise InvalidExperiment(f"{path}: {unknown[0]}: beside 'explore' stands 'experiment' and nothing else")
        limits = validated(Limits, _mapping(path, data, "explore"), f"{path}: explore.")
        data = _mapping(path, data, "experiment")
    experiment = {name: value for name, value in data.items() if (name, value) != KIND and name != "random"}
    try:
        value = parse(experiment)
    except InvalidExperiment as error:
        raise InvalidExperiment(f"{path}: {error}") from None
    return Base(value.title, experiment, _once(_faults(experiment)), limits)


def _of_known_format(path: Path) -> dict[str, Any]:
    data = read_mapping(path)
    try:
        return of_known_format(data)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def _mapping(path: Path, data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    if not isinstance(found, dict):
        raise InvalidExperiment(f"{path}: {name}: a mapping of fields is needed here")
    return found


def _faults(experiment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for each in experiment.get("faults") or ():
        if isinstance(each, dict) and isinstance(each.get("fault"), dict):
            yield each["fault"]


def _once(faults: Any) -> tuple[dict[str, Any], ...]:
    found: list[dict[str, Any]] = []
    found += [each for each in faults if each not in found]
    return tuple(each for number, each in enumerate(found) if each not in found[:number])
