"""A message of an aborted transaction is seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chaosday.planting.log_planting import Did, PlantedLog, polled, sent


class LogAbortedRead(PlantedLog):
    """Adds a send that was refused, and a poll that brought it all the same (G1a)."""

    kind: Literal["log_aborted_read"] = "log_aborted_read"

    def story(self, key: str, other: str) -> Sequence[Did]:
        return [
            Did(0, sent(key, (0, f"{key} a")), "failed"),
            Did(1, polled(key, (0, f"{key} a"))),
        ]
