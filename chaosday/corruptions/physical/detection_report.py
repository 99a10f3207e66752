"""Damage that nobody noticed, in what a detection drill saw."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.planting.report_planting import ReportedDamage


class DetectionReport(ReportedDamage):
    """Adds ``size`` kinds of damage that bit and that no monitor noticed."""

    kind: Literal["detection_report"] = "detection_report"
    observation: str = Field(default="detection", description="Name of what the drill saw")

    stores: ClassVar[tuple[str, ...]] = ("detection",)
    field: ClassVar[str] = "damage"

    def reported(self, said: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], list[str]]:
        unseen = [{"name": name, "bit": True, "notices": []} for name in names]
        return said | {"damage": [*said["damage"], *unseen]}, names
