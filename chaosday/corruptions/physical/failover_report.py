"""Two sides that took writes at once."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.planting.report_planting import ReportedDamage


class FailoverReport(ReportedDamage):
    """Says that two sides, each with a name of its own, took writes at once."""

    kind: Literal["failover_report"] = "failover_report"
    observation: str = Field(default="failover", description="Name of what the drill saw")

    stores: ClassVar[tuple[str, ...]] = ("failover",)
    field: ClassVar[str] = "split"

    def reported(self, said: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], list[str]]:
        pairs = [(name, f"{name}-too") for name in names]
        split = [{"sides": list(pair), "at_ns": 0} for pair in pairs]
        damaged = said | {"split": [*split, *said["split"]], "splits": said["splits"] + len(split)}
        return damaged, [" and ".join(pair) for pair in pairs]
