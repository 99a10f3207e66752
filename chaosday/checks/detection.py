"""Whether each kind of damage was noticed by the monitors that a detection drill watched."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Anomaly, Finding, judged


class Detection(Check):
    """Judges what was noticed of the damage that was really planted; damage that did not bite proves nothing."""

    kind: Literal["detection"] = "detection"
    observation: str = Field(default="detection", description="Name of what the drill saw")
    must_notice: Literal["any", "all"] = "any"

    needs: ClassVar[tuple[str, ...]] = ("observations",)
    blind_to: ClassVar[tuple[str, ...]] = (
        "damage of kinds that were not planted, and damage that shows only after the drill's patience has ended",
        "whether anybody reads what the monitors say",
    )

    def judge(self, evidence: Evidence) -> Finding:
        """Unnoticed damage is violated; a monitor that never answered, or damage that did not bite, is inconclusive."""
        said = evidence.observation(self.observation)
        if not isinstance(said, dict) or not isinstance(said.get("damage"), list):
            raise MalformedInput(f"observation {self.observation} lists no damage")
        bit = [each for each in said["damage"] if each["bit"]]
        unsure = [f"{each['name']} did not bite" for each in said["damage"] if not each["bit"]]
        unsure += [f"{name} was not healthy before any damage" for name in said.get("ringing", [])]
        missed = [each["name"] for each in bit if not self._noticed(each["notices"])]
        for each in bit:
            unsure += [
                f"{notice['monitor']} gave no answer during {each['name']}"
                for notice in each["notices"]
                if notice["readings"] == notice["silent"]
            ]
        anomalies = [Anomaly(name="unnoticed", count=len(missed), keys=list(missed))] if missed else []
        return judged(
            self.kind,
            examined=len(bit),
            unit="kinds of damage",
            anomalies=anomalies,
            unsure=unsure,
            blind_to=list(self.blind_to),
            result={"monitors": _by_monitor(bit)},
        )

    def _noticed(self, notices: list[dict[str, Any]]) -> bool:
        seen = [notice["after_s"] is not None for notice in notices]
        return all(seen) if self.must_notice == "all" else any(seen)


def _by_monitor(bit: list[dict[str, Any]]) -> dict[str, Any]:
    """For each monitor: how many kinds it noticed, which it did not, and the longest that it took, in seconds."""
    found: dict[str, Any] = {}
    for each in bit:
        for notice in each["notices"]:
            entry = found.setdefault(notice["monitor"], {"noticed": 0, "missed": [], "slowest_s": None})
            if notice["after_s"] is None:
                entry["missed"].append(each["name"])
            else:
                entry["noticed"] += 1
                entry["slowest_s"] = max(entry["slowest_s"] or 0.0, notice["after_s"])
    return found
