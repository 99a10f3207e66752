"""Which operations of the workload met a fault: those that fared otherwise than operations did before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chaosday.model.fault import Met
from chaosday.model.history import OK, History, numbers_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW = 20
"""With fewer operations of a kind before the first fault nobody knows how long one takes."""
BY = "operations under way meanwhile failed, or took longer than 99 % of those before"


@dataclass(frozen=True)
class Ordinary:
    """How long each operation of a history may take and be no exception, in nanoseconds; as long as it likes where too
    few were seen before the first fault."""

    longest_ns: NDArray[np.float64]

    @classmethod
    def of(cls, history: History, first_ns: int) -> Ordinary:
        """From what ended before ``first_ns``, by kind of operation."""
        kinds = numbers_of(history.table["f"].combine_chunks().indices)
        starts, ends = history.integers("start_ns"), history.ends_ns()
        before = (history.statuses() == OK) & (ends < first_ns)
        longest = np.full(len(history), np.inf)
        for kind in np.unique(kinds):
            took = (ends - starts)[before & (kinds == kind)]
            if len(took) >= FEW:
                longest[kinds == kind] = np.percentile(took, 99)
        return cls(longest)

    def met(self, history: History, since_ns: int, until_ns: int) -> Met:
        """Of those under way at any time between the two, how many failed, ended unknown, or were slow."""
        starts, ends = history.integers("start_ns"), history.ends_ns()
        meanwhile = (starts <= until_ns) & (ends >= since_ns)
        otherwise = (history.statuses() != OK) | ((ends - starts) > self.longest_ns)
        return Met(hurt=int((meanwhile & otherwise).sum()), of=int(meanwhile.sum()), by=BY)
