"""A function of your own package as a probe."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.errors import ChaosdayError
from chaosday.model.probe import Probe, ProbeReading
from chaosday.model.target import Target
from chaosday.processes.calling import PATH, called


class PythonProbe(Probe):
    """Calls ``package.module:function`` with ``arguments``: healthy when it returns true, or a number that is within
    ``at_least`` and ``at_most`` where one of them is given. What it raises is no answer."""

    kind: Literal["python"] = "python"
    call: str = Field(default="", pattern=PATH)
    arguments: dict[str, Any] = {}
    at_least: float | None = Field(default=None, title="At least")
    at_most: float | None = Field(default=None, title="At most")
    timeout_s: float = Field(default=30, gt=0)

    def commands(self) -> list[str]:
        return [f"python {self.call}"] if self.call else []

    def read(self, target: Target) -> ProbeReading:
        try:
            said = called(self.call, self.arguments, self.timeout_s)
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        number = float(said) if isinstance(said, (int, float)) else None
        words = f"{self.call} returned {said!r:.100}"
        if self.at_least is None and self.at_most is None:
            return ProbeReading(probe=self.kind, healthy=bool(said), value=number, words=words)
        if number is None:
            return ProbeReading(probe=self.kind, healthy=None, words=f"{words}, which is no number")
        low = self.at_least is None or number >= self.at_least
        high = self.at_most is None or number <= self.at_most
        return ProbeReading(probe=self.kind, healthy=low and high, value=number, words=words)
