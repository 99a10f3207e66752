"""A file of a lake table that is gone."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.planting.lake_planting import LakeDamage


class LakeFileMissing(LakeDamage):
    """Adds ``size`` files that are not there to the saved reading."""

    kind: Literal["lake_file_missing"] = "lake_file_missing"

    harm: ClassVar[dict[str, Any]] = {"missing": True, "size_found": None, "rows_found": None}
