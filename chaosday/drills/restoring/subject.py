"""What a restore drill needs of a kind of store: clients that write, a backup, a copy, and the way to look at it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import pyarrow as pa

from chaosday.drills.restoring.accident import Moment
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

    alone: bool = False
    """Whether nobody may have the store open while the backup is taken: clients pause for it."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        """Of the time that the restore took, what took how long, in seconds."""

    @abstractmethod
    def require(self) -> None:
        """Raise ``CapabilityMissing`` or ``Refused`` where backup or copy could not be made; touches nothing."""

    @abstractmethod
    def take(self) -> dict[str, Any]:
        """Take the backup; what can be said of it, as observations by name."""

    def choose(self, now_ns: int) -> dict[str, Any]:
        """Pick the backup that is restored, where there are several: what is to be told of it as a measurement."""
        return {}

    def happen(self) -> Moment | None:
        """Let the accident happen that the restore goes back before; None where there is none."""
        return None

    @abstractmethod
    def restore(self) -> None:
        """Bring a copy to life beside the source; returns once it has taken its first write."""

    def first_answer(self, promised: History) -> bool | None:
        """Ask the copy for something that it owes by this history, and whether the answer is right; ``parts`` say how
        long a right one took. None where nothing can be asked."""
        return None

    def physical(self) -> dict[str, Any]:
        """What a program that knows the files says of the copy, as observations by name; nothing where it is not
        there, or there is no such program."""
        return {}

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
