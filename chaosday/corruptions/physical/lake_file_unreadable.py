"""A file of a lake table with a flipped byte."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.planting.lake_planting import LakeDamage


class LakeFileUnreadable(LakeDamage):
    """Adds ``size`` files as long as they were that cannot be decoded to the saved reading."""

    kind: Literal["lake_file_unreadable"] = "lake_file_unreadable"

    harm: ClassVar[dict[str, Any]] = {"rows_found": None, "error": "CRC checksum verification failed"}
