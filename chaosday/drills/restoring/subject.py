"""What a restore drill needs of a kind of store: clients that write, a backup, a copy, and the way to look at it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import pyarrow as pa

from chaosday.model.history import History
from chaosday.model.workload import Workload

RESTORED = "restored"
OBJECTS = "objects"
"""Objects keep the name by which damage to them is planted."""


class Subject(ABC):
    """One store, and one way to back it up; everything it makes is taken away by ``tidy``."""

    rows: str = RESTORED
    """Under which name the copy's rows go into the evidence."""
    workload: Workload
    """Writes to the source, and reads the copy back under that name."""

    @abstractmethod
    def require(self) -> None:
        """Raise ``CapabilityMissing`` or ``Refused`` where backup or copy could not be made; touches nothing."""

    @abstractmethod
    def take(self) -> dict[str, Any]:
        """Take the backup; what can be said of it, as observations by name."""

    @abstractmethod
    def restore(self) -> None:
        """Bring a copy to life beside the source; returns once it has taken its first write."""

    @abstractmethod
    def read(self) -> pa.Table:
        """What the workload's rows are in the copy."""

    @abstractmethod
    def behind(self, history: History, rows: pa.Table) -> tuple[int, float | None]:
        """How many acknowledged writes the rows lack, and seconds from the newest one they have to the last of all.

        None where they have none.
        """

    @abstractmethod
    def tidy(self) -> tuple[list[str], list[str]]:
        """Take everything away: what went wrong, and what is left; any number of times."""

    @abstractmethod
    def described(self) -> str:
        """What is made of what, in words, for the plan."""


def newest(ends: Any, there: Any) -> tuple[int, float | None]:
    """The answer of ``behind`` from completion times (ns) and whether each write is there, as numpy arrays."""
    if not there.any():
        return len(ends), None
    return int((~there).sum()), float(ends.max() - ends[there].max()) / 1e9
