"""What the corruptions of sets and queues need: the last reading of everything, and copies in which it differs."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from chaosday.model.corruption import Corruption, NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import OK, History, to_json
from chaosday.planting.planting import with_cells


class ElementCorruption(Corruption):
    """Damage to what the last reading of a set, or the drain of a queue, said."""

    puts: ClassVar[str] = "add"
    reads: ClassVar[str] = "read"

    def last(self, evidence: Evidence) -> tuple[History, int, list[Any]]:
        """The history, the row of its last acknowledged reading, and what that said."""
        if not evidence.has("history"):
            raise NotApplicable("there is no history")
        history = evidence.history()
        rows = np.flatnonzero(history.is_f(self.reads) & (history.statuses() == OK))
        if not history.is_f(self.puts).any() or not len(rows):
            raise NotApplicable(f"nothing does {self.puts} and {self.reads}")
        row = int(rows[np.argmax(history.ends_ns()[rows])])
        said = history.values("result")[row]
        if not isinstance(said, list):
            raise NotApplicable(f"the last {self.reads} is not of everything")
        return history, row, said

    def acknowledged(self, history: History) -> set[Any]:
        """What was acknowledged to have gone in."""
        values = history.values("value")
        return {values[row] for row in np.flatnonzero(history.is_f(self.puts) & (history.statuses() == OK))}

    def some(self, history: History, said: list[Any], size: int, rng: np.random.Generator) -> set[Any]:
        """So many of what was acknowledged and was there."""
        there = sorted(self.acknowledged(history) & set(said))
        if len(there) < size:
            raise NotApplicable(f"{len(there)} acknowledged ones are there, {size} are needed")
        return {there[at] for at in rng.choice(len(there), size, replace=False)}

    def saying(self, evidence: Evidence, history: History, row: int, said: list[Any], keys: set[Any]) -> Planted:
        """A copy in which the last reading says something else."""
        table = with_cells(history.table, "result", [row], [to_json(said)])
        return Planted(evidence.replaced(history=History(table)), frozenset(keys))


class Lost(ElementCorruption):
    """Takes what was acknowledged out of the last reading."""

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history, row, said = self.last(evidence)
        gone = self.some(history, said, size, rng)
        return self.saying(evidence, history, row, [each for each in said if each not in gone], gone)


class Forged(ElementCorruption):
    """Puts into the last reading what never went in."""

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history, row, said = self.last(evidence)
        numbers = [each for each in said if isinstance(each, int)]
        if not numbers:
            raise NotApplicable("nothing was there")
        forged = {max(numbers) + 1_000_003 + int(n) for n in rng.choice(1_000_000, size, replace=False)}
        return self.saying(evidence, history, row, [*said, *sorted(forged)], forged)
