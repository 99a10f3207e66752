"""A restore that took too long, or came back too old."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.planting.report_planting import ReportedDamage

YEARS_S = 1e9


class RestoreReport(ReportedDamage):
    """Makes the measured recovery point, or the recovery time, some thirty years."""

    kind: Literal["restore_report"] = "restore_report"
    observation: str = Field(default="recovery_objectives", description="Name of what the drill measured")

    stores: ClassVar[tuple[str, ...]] = ("recovery_objectives",)
    field: ClassVar[str] = "rpo_s"

    def reported(self, said: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], list[str]]:
        damaged = ["rpo_s", "rto_s"][: max(1, min(2, len(names)))]
        return said | dict.fromkeys(damaged, YEARS_S), damaged
