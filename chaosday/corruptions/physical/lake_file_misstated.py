"""Statistics of a lake table that its files contradict."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from chaosday.planting.lake_planting import LakeDamage


class LakeStatisticsWrong(LakeDamage):
    """Adds ``size`` files with a value outside of their bounds to the saved reading."""

    kind: Literal["lake_file_misstated"] = "lake_file_misstated"

    harm: ClassVar[dict[str, Any]] = {"statistics": ["v: a value is above the highest that is said"]}
