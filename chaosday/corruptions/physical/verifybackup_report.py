"""What pg_verifybackup prints when it finds damage."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.planting.report_planting import ReportedDamage


class VerifybackupReport(ReportedDamage):
    """Adds ``size`` files with a wrong checksum to the tool's saved output, with its exit code."""

    kind: Literal["verifybackup_report"] = "verifybackup_report"
    observation: str = Field(default="pg_verifybackup", description="Name of the tool's saved output")

    stores: ClassVar[tuple[str, ...]] = ("pg_verifybackup",)
    field: ClassVar[str] = "exit_code"

    def reported(self, said: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], list[str]]:
        files = [f"base/5/{name}" for name in names]
        lines = [f'pg_verifybackup: error: checksum mismatch for file "{file}"' for file in files]
        return said | {"lines": [*said["lines"], *lines], "exit_code": 1}, files
