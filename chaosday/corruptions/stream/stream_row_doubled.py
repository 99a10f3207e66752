"""A row that is there twice."""

from __future__ import annotations

from typing import Literal

from chaosday.planting.stream_planting import Line, Settled, StreamCorruption, ending


class StreamRowDoubled(StreamCorruption):
    """Shows rows a second time: a change that was applied again where there is no key."""

    kind: Literal["stream_row_doubled"] = "stream_row_doubled"

    def changed(self, row: Settled) -> Line | None:
        return ending(row, lambda state: [state, state])
