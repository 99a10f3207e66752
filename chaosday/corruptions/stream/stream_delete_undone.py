"""A row that was deleted, and is there."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.planting.stream_planting import Line, Settled, StreamCorruption


class StreamDeleteUndone(StreamCorruption):
    """Puts rows back as they were before their delete: a tombstone that was lost, or a write that came after it."""

    kind: Literal["stream_delete_undone"] = "stream_delete_undone"
    lacking: ClassVar[str] = "deleted rows that the sink had shown"

    def changed(self, row: Settled) -> Line | None:
        before = row.states[-2] if len(row.states) > 1 else None
        if row.states[-1] is not None or before is None or not row.line:
            return None
        look, _ = row.line[-1]
        return [*row.line[:-1], (look, [before])]
