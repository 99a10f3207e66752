"""A message that was acknowledged and that nobody ever sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chaosday.planting.log_planting import Did, PlantedLog, sent


class LogUnseen(PlantedLog):
    """Adds an acknowledged send to a log that nobody polls."""

    kind: Literal["log_unseen"] = "log_unseen"

    def story(self, key: str, other: str) -> Sequence[Did]:
        return [
            Did(0, sent(key, (0, f"{key} a"))),
        ]
