"""A detection drill as a value: what is damaged, and whose monitors ought to notice."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from chaosday.model.any_of import any_of
from chaosday.model.base import Model
from chaosday.model.experiment import ENVIRONMENT, Guard, validated


class Monitor(Model):
    """Somebody's own way to notice damage: healthy before it, and not healthy once it noticed."""

    name: str = Field(default="monitor", min_length=1, max_length=60)
    probe: any_of("probes")  # type: ignore[valid-type]


class DetectionDrill(Model):
    """Damage is planted for real where it is marked as scratch, one kind after the other, and undone exactly.

    The monitors are read all the while, in threads of their own. Before the first damage, and for ``quiet_s``,
    all of them have to be healthy: an alarm that rings anyway notices nothing.
    """

    drill: Literal["detection"] = "detection"
    title: str = Field(default="detection drill", min_length=1, max_length=120)
    hypothesis: str = "Every kind of damage is noticed by a monitor while it is there."
    seed: int = Field(default=1, ge=0)
    targets: dict[str, any_of("targets")] = {}  # type: ignore[valid-type]
    damage: list[any_of("faults")] = []  # type: ignore[valid-type]
    """Faults, one after the other, each undone before the next: ``data.rows``, ``data.files``, ``cloud.s3.tamper``."""
    monitors: list[Monitor] = []
    must_notice: Literal["any", "all"] = "any"
    """Whether one monitor has to notice each kind of damage, or every one of them."""
    every_s: float = Field(default=0.5, gt=0, le=3600)
    """How often each monitor is asked."""
    quiet_s: float = Field(default=1, ge=0, le=3600)
    patience_s: float = Field(default=30, gt=0, le=86_400)
    """How long each kind of damage stays, at the most, for monitors to notice it."""
    max_targets: int = Field(default=1, ge=1, le=10_000)
    """How many things one kind of damage may affect."""
    environment: str = Field(default="test", pattern=ENVIRONMENT)
    """Where the targets belong; ``production`` is refused unless the guardrails name it."""
    guards: list[Guard] = []
    """Probes that stop the drill."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.damage:
            raise ValueError("damage: at least one kind is needed, or there is nothing to notice")
        if not self.monitors:
            raise ValueError("monitors: at least one is needed, or there is nobody to notice")
        names = [monitor.name for monitor in self.monitors]
        if len(set(names)) < len(names):
            raise ValueError("monitors: each needs a name of its own")
        used = [(f"damage.{n}", fault.target) for n, fault in enumerate(self.damage)]
        used += [(f"guards.{n}", guard.probe.target) for n, guard in enumerate(self.guards)]
        used += [(f"monitors.{n}", monitor.probe.target) for n, monitor in enumerate(self.monitors)]
        for where, name in used:
            if name not in self.targets:
                known = ", ".join(sorted(self.targets)) or "none"
                raise ValueError(f"{where}: no target is called {name!r}; there are {known}")
        return self


def parse_drill(data: dict[str, Any], where: str = "") -> DetectionDrill:
    """Validate plain data through the strict door."""
    return validated(DetectionDrill, data, where)
