"""A row that never arrived."""

from __future__ import annotations

from typing import Literal

from chaosday.planting.stream_planting import Line, Settled, StreamCorruption, ending


class StreamRowMissing(StreamCorruption):
    """Takes rows away that the sink had to hold in the end, from when they were as they should be."""

    kind: Literal["stream_row_missing"] = "stream_row_missing"

    def changed(self, row: Settled) -> Line | None:
        return ending(row, lambda state: [])
