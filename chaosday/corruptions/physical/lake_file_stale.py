"""An older file of a lake table in the place of a newer one."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.planting.lake_planting import LakeDamage


class LakeFileStale(LakeDamage):
    """Adds ``size`` files that hold other rows than their metadata says to the saved reading."""

    kind: Literal["lake_file_stale"] = "lake_file_stale"

    harm: ClassVar[dict[str, Any]] = {"rows_found": 4}
