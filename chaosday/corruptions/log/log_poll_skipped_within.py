"""A poll that leaves something out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chaosday.planting.log_planting import Did, PlantedLog, polled, sent


class LogPollSkippedWithin(PlantedLog):
    """Adds one poll with the first message and the third."""

    kind: Literal["log_poll_skipped_within"] = "log_poll_skipped_within"

    def story(self, key: str, other: str) -> Sequence[Did]:
        return [
            Did(0, sent(key, (0, f"{key} a"), (1, f"{key} b"), (2, f"{key} c"))),
            Did(1, polled(key, (0, f"{key} a"), (2, f"{key} c"))),
            Did(2, polled(key, (0, f"{key} a"), (1, f"{key} b"), (2, f"{key} c"))),
        ]
