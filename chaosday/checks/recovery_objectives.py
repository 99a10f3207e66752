"""Recovery objectives: how much was missing after a restore, and how long it took."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from chaosday.errors import MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Anomaly, Finding, judged


class RecoveryObjectives(Check):
    """Judges the measured recovery point and recovery time of a restore against what is promised.

    The recovery point is the time from the newest acknowledged write that the restored store holds to the
    last one that was acknowledged at all; the recovery time ends with the first write that the copy takes.
    """

    kind: Literal["recovery_objectives"] = "recovery_objectives"
    observation: str = Field(default="recovery_objectives", description="Name of what the drill measured")
    rpo_s: float = Field(default=300, gt=0)
    rto_s: float = Field(default=3600, gt=0)

    needs: ClassVar[tuple[str, ...]] = ("observations",)
    blind_to: ClassVar[tuple[str, ...]] = (
        "what a restore takes on other machines, at another hour, or of a database that has grown",
    )

    def judge(self, evidence: Evidence) -> Finding:
        """Compare the two; a drill that measured neither is inconclusive."""
        said = evidence.observation(self.observation)
        limits = {"rpo_s": self.rpo_s, "rto_s": self.rto_s}
        if not isinstance(said, dict) or not limits.keys() <= said.keys():
            raise MalformedInput(f"observation {self.observation} has no rpo_s and rto_s")
        measured = {name: float(said[name]) for name in limits if said.get(name) is not None}
        anomalies = [
            Anomaly(name=f"{name[:3]}-exceeded", count=1, keys=[name], detail=[{name: value, "limit_s": limits[name]}])
            for name, value in measured.items()
            if value > limits[name]
        ]
        beside = ", ".join(f"{name[:3]} {value:.3g} s of {limits[name]:g} s" for name, value in measured.items())
        unsure = [f"{name} was not measured" for name in limits if name not in measured]
        return judged(
            self.kind,
            examined=len(measured),
            unit=f"objectives ({beside})" if beside else "objectives",
            anomalies=anomalies,
            unsure=unsure,
            blind_to=list(self.blind_to),
            result=measured,
        )
