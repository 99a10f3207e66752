"""A row whose last change never arrived."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.planting.stream_planting import Line, Settled, StreamCorruption, ending


class StreamRowStale(StreamCorruption):
    """Leaves rows at the change before their last one."""

    kind: Literal["stream_row_stale"] = "stream_row_stale"
    lacking: ClassVar[str] = "rows that were changed twice"

    def changed(self, row: Settled) -> Line | None:
        before = row.states[-2] if len(row.states) > 1 else None
        return None if before is None else ending(row, lambda state: [before])
