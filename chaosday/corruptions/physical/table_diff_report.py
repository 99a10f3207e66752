"""A diff that found changed rows."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.planting.report_planting import ReportedDamage


class TableDiffReport(ReportedDamage):
    """Adds ``size`` changed rows to the saved result of a diff."""

    kind: Literal["table_diff_report"] = "table_diff_report"
    observation: str = Field(default="table_diff", description="Name of the saved result of the diff")

    stores: ClassVar[tuple[str, ...]] = ("table_diff",)
    field: ClassVar[str] = "changed"

    def reported(self, said: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], list[str]]:
        keys = [*said.get("sample_keys", []), *names]
        return said | {"equal": False, "changed": int(said["changed"]) + len(names), "sample_keys": keys}, names
