"""What the corruptions of object stores share: which keys are sure, and how rows are put back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from chaosday.clients.object_content import OBJECTS, SHARED_FROM, WRITES
from chaosday.model.corruption import Corruption, NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import OK, UNKNOWN, History


class ObjectCorruption(Corruption):
    """Damage to objects of an S3 workload as they were read back."""

    stores: ClassVar[tuple[str, ...]] = ("objects",)
    store: str = Field(default="objects", description="Name of the rows that were read back")

    def rows(self, evidence: Evidence) -> pa.Table:
        """The objects to damage; ``NotApplicable`` where the run holds none."""
        if not evidence.has(f"rows/{self.store}"):
            raise NotApplicable(f"no rows were read back as {self.store}")
        table = evidence.rows(self.store)
        if not set(OBJECTS.names) <= set(table.column_names):
            raise NotApplicable(f"rows/{self.store} are not objects")
        return table

    def planted(self, evidence: Evidence, table: pa.Table, keys: Iterable[int]) -> Planted:
        """The evidence with these rows."""
        return Planted(evidence.replaced(rows={self.store: table}), frozenset(int(key) for key in keys))


def sure(history: History) -> dict[int, list[int]]:
    """Key -> the values of its acknowledged writes in order (0 a deletion), where nothing is unknown about the key."""
    statuses, keys = history.statuses(), history.integers("key")
    writes = history.is_f(*WRITES) & (keys < SHARED_FROM)
    unsure = set(keys[writes & (statuses == UNKNOWN)].tolist())
    values = history.integers("value")
    order = np.argsort(history.integers("index"), kind="stable")
    found: dict[int, list[int]] = {}
    for at in order[(writes & (statuses == OK))[order]]:
        key = int(keys[at])
        if key not in unsure:
            found.setdefault(key, []).append(int(values[at]))
    return found


def positions(table: pa.Table, keys: Iterable[int]) -> NDArray[np.int64]:
    """Where the rows of these keys are."""
    return np.flatnonzero(np.isin(table["key"].to_numpy(), list(keys)))
