"""Kinds of damage to an output, and how two multisets of rows are told apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

LOST, DUPLICATED, CHANGED, ORPHAN, TORN = "lost", "duplicated", "changed", "orphan", "torn"
ROWS = (LOST, DUPLICATED, CHANGED, ORPHAN)
TABLE = ("the table itself",)
"""What stands in the place of rows where a table is missing, or should not be there."""
COLUMNS = ("its columns are others",)
_SAMPLE = 3
Of = TypeVar("Of")


@dataclass(frozen=True)
class Difference:
    """One kind of damage to one output: how many rows, and a few of them."""

    output: str
    kind: str
    rows: int
    sample: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"sample": list(self.sample)}


def told_apart(expected: Counter[Of], found: Counter[Of]) -> dict[str, tuple[int, list[Of]]]:
    """By kind of damage, how many rows, and a few of them; those that are lost are of ``expected``, others of
    ``found``.

    A row that is there more often than it should be is duplicated, one that is missing lost; where as many rows are
    missing as strange ones are there, they were changed; strange rows beyond that are orphans.
    """
    twice = Counter({row: found[row] - n for row, n in expected.items() if found[row] > n})
    missing = Counter({row: n - found[row] for row, n in expected.items() if found[row] < n})
    strange = Counter({row: n for row, n in found.items() if row not in expected})
    changed = min(missing.total(), strange.total())
    counts = {
        DUPLICATED: (twice.total(), twice),
        CHANGED: (changed, strange),
        LOST: (missing.total() - changed, missing),
        ORPHAN: (strange.total() - changed, strange),
    }
    return {kind: (n, sorted(rows, key=repr)[:_SAMPLE]) for kind, (n, rows) in counts.items() if n}
