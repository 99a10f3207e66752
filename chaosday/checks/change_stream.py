"""What a stream of changes brings to its sink, judged while it runs."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.checkers.base import HistoryCheck, ResultMap
from chaosday.checkers.change_stream import KINDS, check_stream
from chaosday.model.history import History


class ChangeStream(HistoryCheck):
    """Changes of ``changes`` at or below a mark of ``changes_seen`` are at the sink; those above are in flight.

    Named are missing and stale rows, resurrected ones (their delete is below the mark), duplicate ones, reordered
    ones (a row went back), unwritten contents, column-lost (a column that was added in mid-stream), and rewound marks.
    A sink that never reached the last marks is inconclusive.
    """

    kind: Literal["change_stream"] = "change_stream"
    model: ClassVar[str] = "change-stream"
    asks: ClassVar[tuple[str, ...]] = tuple(KINDS)
    blind_to: ClassVar[tuple[str, ...]] = ("rows that are at the sink for less than the time between two looks",)

    replays: bool = False
    """Whether the sink may go back to an older mark as a whole, and come again (at least once)."""

    def analyse(self, history: History) -> ResultMap:
        """Judge every sink that was looked at."""
        return check_stream(history, replays=self.replays)
