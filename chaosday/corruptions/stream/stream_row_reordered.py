"""Two changes of one row in the wrong order."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.planting.stream_planting import Line, Settled, StreamCorruption


class StreamRowReordered(StreamCorruption):
    """Lets one look show a row as it is going to be, before the looks that show it as it was."""

    kind: Literal["stream_row_reordered"] = "stream_row_reordered"
    lacking: ClassVar[str] = "rows that stood still for two looks between two changes"

    def changed(self, row: Settled) -> Line | None:
        for number, ((look, now), (later, then)) in enumerate(zip(row.line, row.line[1:], strict=False)):
            if later - look >= 2 and now and then:
                return [*row.line[:number], (look, then), (look + 1, now), *row.line[number + 1 :]]
        return None
