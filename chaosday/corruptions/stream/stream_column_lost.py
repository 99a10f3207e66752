"""A column that was added in mid-stream, and does not arrive."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.planting.stream_planting import Line, Settled, StreamCorruption, ending


class StreamColumnLost(StreamCorruption):
    """Empties the later column of rows."""

    kind: Literal["stream_column_lost"] = "stream_column_lost"
    lacking: ClassVar[str] = "rows with something in the later column"

    def changed(self, row: Settled) -> Line | None:
        if row.states[-1] is None or row.states[-1][2] is None:
            return None
        return ending(row, lambda state: [(state[0], state[1], None)])
