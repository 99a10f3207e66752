"""A poll that goes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chaosday.planting.log_planting import Did, PlantedLog, polled, sent


class LogPollReorderedWithin(PlantedLog):
    """Adds one poll with the second message before the first."""

    kind: Literal["log_poll_reordered_within"] = "log_poll_reordered_within"

    def story(self, key: str, other: str) -> Sequence[Did]:
        return [
            Did(0, sent(key, (0, f"{key} a"), (1, f"{key} b"), (2, f"{key} c"))),
            Did(1, polled(key, (1, f"{key} b"), (0, f"{key} a"))),
            Did(2, polled(key, (0, f"{key} a"), (1, f"{key} b"), (2, f"{key} c"))),
        ]
