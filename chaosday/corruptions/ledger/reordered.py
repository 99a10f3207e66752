"""A row that the database placed before rows that were finished when it was begun."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.clients.ledger import operations
from chaosday.model.corruption import NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import FAILED, OK
from chaosday.planting.planting import LedgerCorruption, attempts_of, ids_of, pick, rows_with, with_cells


class Reordered(LedgerCorruption):
    """Moves rows to the very front. Equivalent where no acknowledged insert that is still present had
    ended before the row's own insert began: then any order is allowed."""

    kind: Literal["reordered"] = "reordered"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table, ops = self.rows(evidence), operations(evidence.history())
        begun = np.flatnonzero(ops.insert & (ops.status != FAILED))
        ended = begun[ops.status[begun] == OK]
        if not len(ended):
            raise NotApplicable("no insert was acknowledged")
        at = pick(rng, table.num_rows, size, "rows")
        ids = ids_of(table, at)
        # The first to end among those that keep their place and are there to be behind of.
        first = ended[np.argsort(ops.end_ns[ended], kind="stable")]
        sure = [int(i) for i in first[: 4 * size + 64] if int(ops.key[i]) not in set(ids)]
        present = set(ids_of(table, rows_with(table, [int(ops.key[i]) for i in sure])))
        earliest = min((int(ops.end_ns[i]) for i in sure if int(ops.key[i]) in present), default=None)
        same = []
        for key, tried in attempts_of(evidence.history(), ids).items():
            start = next((a.start_ns for a in tried if a.f == "insert" and a.status != "failed"), None)
            if start is None or earliest is None or start <= earliest:
                same.append(key)
        front = int(np.min(table["position"].to_numpy())) - size
        return self.planted(evidence, with_cells(table, "position", at, [front + n for n in range(size)]), ids, same)
