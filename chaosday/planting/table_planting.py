"""What the corruptions of tables of any columns need beside ``planting``: a key column and the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from chaosday.model.corruption import Corruption, NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import pick, with_cells

# How many times as many rows are looked at as are to be damaged, where not every row can be.
LOOKED_AT = 20


class TableCorruption(Corruption):
    """Damage to one copy of rows of which there are two: a replica, an export, a table after a load.

    The rows are those called ``replica``, or the first with a dot in their name (``STORE.REPLICA``).
    Damaged keys are those of the ``key`` column.
    """

    stores: ClassVar[tuple[str, ...]] = ("replica",)
    replica: str = Field(default="", description="Name of the rows to damage; empty is the first replica")
    key: str = Field(default="id", description="Column that tells rows apart")

    def name(self, evidence: Evidence) -> str:
        """Which rows are damaged; ``NotApplicable`` where there is no replica."""
        replicas = [name for name in evidence.row_names() if "." in name]
        name = self.replica or next(iter(replicas), "")
        if not name or not evidence.has(f"rows/{name}"):
            raise NotApplicable("no replica was read back")
        return name

    def table(self, evidence: Evidence) -> pa.Table:
        """The rows to damage, with their key column."""
        table = evidence.rows(self.name(evidence))
        if self.key not in table.column_names:
            raise NotApplicable(f"the replica's rows have no column {self.key}")
        return table

    def columns(self, table: pa.Table, holds: Callable[[pa.DataType], bool], what: str) -> list[str]:
        """The columns beside the key whose type ``holds``; ``NotApplicable`` where there is none."""
        found = [f.name for f in table.schema if f.name != self.key and holds(f.type)]
        if not found:
            raise NotApplicable(f"no column holds {what}")
        return found

    def planted(
        self, evidence: Evidence, table: pa.Table, keys: Iterable[Any], equivalent: Iterable[Any] = ()
    ) -> Planted:
        """The evidence with these rows; a key that is equivalent is not among the damaged ones."""
        same = frozenset(equivalent)
        return Planted(evidence.replaced(rows={self.name(evidence): table}), frozenset(keys) - same, same)

    def keys_at(self, table: pa.Table, at: Sequence[int] | np.ndarray[Any, Any]) -> list[Any]:
        """The keys of the rows at these positions."""
        listed: list[Any] = table[self.key].take(pa.array(at, pa.int64())).to_pylist()
        return listed

    def change_cells(
        self,
        evidence: Evidence,
        size: int,
        rng: np.random.Generator,
        holds: Callable[[pa.DataType], bool],
        change: Callable[[Any], Any],
        what: str,
    ) -> Planted:
        """Change one cell in each of ``size`` rows, in a column whose type ``holds``.

        ``change`` returns the new value, or None where this value cannot be damaged in this way. A row
        whose value is the same afterwards (by Python's own equality and ``repr``) is equivalent.
        """
        table = self.table(evidence)
        columns = self.columns(table, holds, what)
        order = rng.permutation(table.num_rows)[: LOOKED_AT * size]
        for column in rng.permutation(columns).tolist():
            cells = table[column].take(pa.array(order)).to_pylist()
            changed = ((int(at), old, change(old)) for at, old in zip(order, cells, strict=True))
            found = list(islice((each for each in changed if each[2] is not None), size))
            if len(found) == size:
                break
        else:
            raise NotApplicable(f"too few cells in which there is {what}; {size} are needed")
        at = [place for place, _, _ in found]
        damaged = with_cells(table, column, at, [new for _, _, new in found])
        stored = damaged[column].take(pa.array(at)).to_pylist()
        keys = self.keys_at(table, at)
        same = [key for key, (_, old, _), new in zip(keys, found, stored, strict=True) if repr(old) == repr(new)]
        return self.planted(evidence, damaged, keys, same)

    def choose(self, table: pa.Table, size: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """``size`` rows at random, by position."""
        return pick(rng, table.num_rows, size, "rows")
