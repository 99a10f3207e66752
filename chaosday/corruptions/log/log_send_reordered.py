"""What a producer sent later comes before what it sent earlier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chaosday.planting.log_planting import Did, PlantedLog, polled, sent


class LogSendReordered(PlantedLog):
    """Adds two sends of one producer, one after the other, that are in the log the other way round."""

    kind: Literal["log_send_reordered"] = "log_send_reordered"

    def story(self, key: str, other: str) -> Sequence[Did]:
        return [
            Did(0, sent(key, (1, f"{key} b"))),
            Did(0, sent(key, (0, f"{key} a"))),
            Did(1, polled(key, (0, f"{key} a"), (1, f"{key} b"))),
        ]
