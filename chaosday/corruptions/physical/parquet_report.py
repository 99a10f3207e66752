"""A reading of Parquet pages that found wrong checksums."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.planting.report_planting import ReportedDamage


class ParquetReport(ReportedDamage):
    """Adds a file with ``size`` bad pages to the saved reading."""

    kind: Literal["parquet_report"] = "parquet_report"
    observation: str = Field(default="parquet_checksums", description="Name of the saved reading of the pages")

    stores: ClassVar[tuple[str, ...]] = ("parquet_checksums",)
    field: ClassVar[str] = "files"

    def reported(self, said: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], list[str]]:
        bad = [f"planted.parquet row group 0 column v page {name}" for name in names]
        file = {"path": "planted.parquet", "pages": len(bad), "protected": len(bad), "bad": bad, "error": ""}
        return said | {"files": [*said["files"], file]}, bad
