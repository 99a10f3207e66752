"""A consumer goes back between two polls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from chaosday.planting.log_planting import Did, PlantedLog, polled, sent


class LogPollRepeated(PlantedLog):
    """Adds a consumer that is given a message again; where consumers subscribe that is allowed."""

    kind: Literal["log_poll_repeated"] = "log_poll_repeated"
    excused_by_subscribe: ClassVar[bool] = True

    def story(self, key: str, other: str) -> Sequence[Did]:
        return [
            Did(0, sent(key, (0, f"{key} a"), (1, f"{key} b"), (2, f"{key} c"))),
            Did(1, polled(key, (0, f"{key} a"), (1, f"{key} b"))),
            Did(1, polled(key, (1, f"{key} b"), (2, f"{key} c"))),
        ]
