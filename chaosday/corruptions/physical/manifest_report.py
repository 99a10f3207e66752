"""A comparison of manifests that found damaged pieces."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.planting.report_planting import ReportedDamage


class ManifestReport(ReportedDamage):
    """Adds ``size`` bit flips to the saved comparison of two manifests."""

    kind: Literal["manifest_report"] = "manifest_report"
    observation: str = Field(default="manifest", description="Name of the saved comparison")

    stores: ClassVar[tuple[str, ...]] = ("manifest",)
    field: ClassVar[str] = "leaves_read"

    def reported(self, said: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], list[str]]:
        counts = dict(said["counts"])
        counts["bit_flip"] = counts.get("bit_flip", 0) + len(names)
        damage = [*({"kind": "bit_flip", "name": name} for name in names), *said["damage"]]
        return said | {"equal": False, "counts": counts, "damage": damage}, names
