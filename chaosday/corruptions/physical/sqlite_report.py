"""What SQLite's integrity check prints when it finds damage."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.planting.report_planting import ReportedDamage


class SqliteReport(ReportedDamage):
    """Adds ``size`` lines of damage to the saved output of ``integrity_check``."""

    kind: Literal["sqlite_report"] = "sqlite_report"
    observation: str = Field(default="sqlite_integrity", description="Name of the tool's saved output")

    stores: ClassVar[tuple[str, ...]] = ("sqlite_integrity",)
    field: ClassVar[str] = "foreign_keys"

    def reported(self, said: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], list[str]]:
        lines = [f"Tree {name} page {name}: btreeInitPage() returns error code 11" for name in names]
        return said | {"lines": [*lines, *said["lines"]]}, lines
