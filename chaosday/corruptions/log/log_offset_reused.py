"""Two messages at one offset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chaosday.planting.log_planting import Did, PlantedLog, polled, sent


class LogOffsetReused(PlantedLog):
    """Adds two acknowledged sends with the same offset: the tail of a log that was cut off and written anew."""

    kind: Literal["log_offset_reused"] = "log_offset_reused"

    def story(self, key: str, other: str) -> Sequence[Did]:
        return [
            Did(0, sent(key, (0, f"{key} a"))),
            Did(1, sent(key, (0, f"{key} b"))),
            Did(2, polled(key, (0, f"{key} b"))),
        ]
