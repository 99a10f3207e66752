"""A row with a content that nobody wrote."""

from __future__ import annotations

from typing import Literal

from chaosday.planting.stream_planting import Line, Settled, StreamCorruption, ending


class StreamRowMangled(StreamCorruption):
    """Lowers the value of rows by one, so that it looks like any other."""

    kind: Literal["stream_row_mangled"] = "stream_row_mangled"

    def changed(self, row: Settled) -> Line | None:
        return ending(row, lambda state: [(state[0], state[1] - 1, state[2])])
