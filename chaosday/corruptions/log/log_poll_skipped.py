"""A consumer leaves something out between two polls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from chaosday.planting.log_planting import Did, PlantedLog, polled, sent


class LogPollSkipped(PlantedLog):
    """Adds a consumer that goes from the first message to the third; where consumers subscribe that is allowed."""

    kind: Literal["log_poll_skipped"] = "log_poll_skipped"
    excused_by_subscribe: ClassVar[bool] = True

    def story(self, key: str, other: str) -> Sequence[Did]:
        return [
            Did(0, sent(key, (0, f"{key} a"), (1, f"{key} b"), (2, f"{key} c"))),
            Did(1, polled(key, (0, f"{key} a"))),
            Did(1, polled(key, (2, f"{key} c"))),
            Did(2, polled(key, (0, f"{key} a"), (1, f"{key} b"), (2, f"{key} c"))),
        ]
