"""A message that is in a log twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chaosday.planting.log_planting import Did, PlantedLog, polled, sent


class LogDuplicated(PlantedLog):
    """Adds a message that was sent once and polled at two offsets."""

    kind: Literal["log_duplicated"] = "log_duplicated"

    def story(self, key: str, other: str) -> Sequence[Did]:
        return [
            Did(0, sent(key, (0, f"{key} a"))),
            Did(1, polled(key, (0, f"{key} a"), (1, f"{key} a"))),
        ]
