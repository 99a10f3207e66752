"""A reading of objects that found wrong checksums."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.planting.report_planting import ReportedDamage


class S3Report(ReportedDamage):
    """Adds ``size`` objects with a wrong checksum to the saved reading."""

    kind: Literal["s3_report"] = "s3_report"
    observation: str = Field(default="s3_checksums", description="Name of the saved reading of the objects")

    stores: ClassVar[tuple[str, ...]] = ("s3_checksums",)
    field: ClassVar[str] = "objects"

    def reported(self, said: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], list[str]]:
        sound = {"size_bytes": 1, "verified": [], "unverifiable": [], "error": "", "denied": False, "changed": False}
        planted = [{"key": name, "wrong": ["etag-md5"]} | sound for name in names]
        return said | {"objects": [*said["objects"], *planted]}, names
