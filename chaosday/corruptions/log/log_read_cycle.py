"""Two transactions that each saw what the other one sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chaosday.planting.log_planting import Did, PlantedLog, polled, sent


class LogReadCycle(PlantedLog):
    """Adds two transactions on two logs, each of which polled the other one's message (G1c)."""

    kind: Literal["log_read_cycle"] = "log_read_cycle"

    def story(self, key: str, other: str) -> Sequence[Did]:
        return [
            Did(0, [*sent(key, (0, f"{key} a")), *polled(other, (0, f"{other} a"))]),
            Did(1, [*sent(other, (0, f"{other} a")), *polled(key, (0, f"{key} a"))]),
        ]
