"""A file of a lake table that was cut off."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.planting.lake_planting import LakeDamage


class LakeFileTruncated(LakeDamage):
    """Adds ``size`` files that are shorter than their metadata says and end in the midst to the saved reading."""

    kind: Literal["lake_file_truncated"] = "lake_file_truncated"

    harm: ClassVar[dict[str, Any]] = {"size_found": 450, "rows_found": None, "error": "no footer"}
