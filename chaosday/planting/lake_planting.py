"""What corruptions of a lake table's saved reading share."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from chaosday.planting.report_planting import ReportedDamage

SOUND = {"size_bytes": 900, "size_found": 900, "rows": 5, "rows_found": 5, "missing": False, "error": "",
         "statistics": []}  # fmt: skip


class LakeDamage(ReportedDamage):
    """Adds ``size`` files that have ``harm`` to the saved reading."""

    observation: str = Field(default="lake_files", description="Name of the saved reading of the files")

    stores: ClassVar[tuple[str, ...]] = ("lake_files",)
    field: ClassVar[str] = "others_missing"
    harm: ClassVar[dict[str, Any]] = {}

    def reported(self, said: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], list[str]]:
        named = [f"planted-{name}.parquet" for name in names]
        return said | {"files": [*said["files"], *({"name": name} | SOUND | self.harm for name in named)]}, named
