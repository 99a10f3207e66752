"""A Probe asks a target a read-only question."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

from pydantic import Field

from chaosday.model.base import Model
from chaosday.model.target import Target


class ProbeReading(Model):
    """An answer: ``healthy`` is None when there was no answer, which is never taken for health."""

    probe: str
    healthy: bool | None
    value: float | None = None
    unit: str = ""
    words: str = ""


class Probe(Model):
    """A read-only question about steady state; a Guard is a probe with a tolerance."""

    kind: str
    target: str = Field(default="", description="Name of the target it asks")

    @abstractmethod
    def read(self, target: Target) -> ProbeReading:
        """Ask once; an unreachable target is ``healthy=None`` with the reason in words."""

    def commands(self) -> list[str]:
        """Commands that somebody wrote into it, which it has run on the target; none, for most probes."""
        return []

    def collect(self, target: Target, scratch: Path) -> dict[str, Any]:
        """What to keep for the checks, as observations by name; ``scratch`` is a folder for copies."""
        return {self.kind: self.read(target).model_dump(mode="json")}

    def clean_up(self, target: Target) -> None:
        """Take away what reading had to make; nothing, for most probes."""
