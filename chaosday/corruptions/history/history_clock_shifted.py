"""A client whose clock was fast."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from chaosday.model.corruption import NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import History
from chaosday.planting.history_planting import HistoryCorruption, contradicted
from chaosday.planting.planting import pick

# By how many operations' time the clock of a client is fast.
OPERATIONS_AHEAD = 200


class HistoryClockShifted(HistoryCorruption):
    """Moves all operations of ``size`` clients into the future. The damaged operations are the reads,
    anybody's, that the clock now contradicts; where there are none, nothing was damaged.

    Not promised: a shift leaves many histories linearizable, and by the clock alone that cannot be told.
    """

    kind: Literal["history_clock_shifted"] = "history_clock_shifted"
    promised: ClassVar[bool] = False

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history = self.history(evidence)
        process = history.integers("process")
        clients = np.unique(process[history.is_f("read")])
        if len(clients) <= size:
            raise NotApplicable(f"{len(clients)} clients that read; one more than {size} is needed")
        chosen = np.isin(process, clients[pick(rng, len(clients), size, "clients that read")])
        start = history.integers("start_ns")
        ahead = int((start.max() - start.min()) / max(len(history), 1)) * OPERATIONS_AHEAD + 1
        shifted = _moved(history, chosen, ahead)
        keys: frozenset[int | str] = frozenset(contradicted(shifted))
        return Planted(evidence.replaced(history=shifted), keys)


def _moved(history: History, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]], ahead_ns: int) -> History:
    """The history with some operations later, in the order of invocation that this gives."""
    start = history.integers("start_ns") + np.where(chosen, ahead_ns, 0)
    ends = history.table["end_ns"].to_pylist()
    moved = history.with_column("start_ns", start)
    moved = moved.with_column(
        "end_ns", [None if end is None else end + ahead_ns * int(late) for end, late in zip(ends, chosen, strict=True)]
    )
    return History(moved.table.take(np.argsort(start, kind="stable")))
