"""What one transaction sent is in the log the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chaosday.planting.log_planting import Did, PlantedLog, polled, sent


class LogSendReorderedWithin(PlantedLog):
    """Adds a transaction whose second send comes before its first."""

    kind: Literal["log_send_reordered_within"] = "log_send_reordered_within"

    def story(self, key: str, other: str) -> Sequence[Did]:
        return [
            Did(0, sent(key, (1, f"{key} b"), (0, f"{key} a"))),
            Did(1, polled(key, (0, f"{key} a"), (1, f"{key} b"))),
        ]
