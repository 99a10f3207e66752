"""Crash states that leave an output damaged."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.planting.report_planting import ReportedDamage


class PipelineReport(ReportedDamage):
    """Adds attempts to what a pipeline drill saw, each of which left rows twice."""

    kind: Literal["pipeline_report"] = "pipeline_report"
    observation: str = Field(default="pipeline", description="Name of what the drill saw")

    stores: ClassVar[tuple[str, ...]] = ("pipeline",)
    field: ClassVar[str] = "attempts"

    def reported(self, said: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], list[str]]:
        damage = [{"output": "planted.public.orders", "kind": "duplicated", "rows": 1, "sample": []}]
        more = [
            {"point": name, "way": "kill", "state": f"planted {name}", "hit": True, "differences": damage}
            for name in names
        ]
        return said | {"attempts": [*said["attempts"], *more]}, names
