"""A transaction sees what it has not yet committed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chaosday.planting.log_planting import Did, PlantedLog, polled, sent


class LogPrecommittedRead(PlantedLog):
    """Adds a transaction that polls what it itself sent."""

    kind: Literal["log_precommitted_read"] = "log_precommitted_read"

    def story(self, key: str, other: str) -> Sequence[Did]:
        return [
            Did(0, [*sent(key, (0, f"{key} a")), *polled(key, (0, f"{key} a"))]),
        ]
