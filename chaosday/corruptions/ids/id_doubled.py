"""An identifier that two clients were given."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from chaosday.model.corruption import Corruption, NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import OK, History, to_json
from chaosday.planting.planting import with_cells


class IdDoubled(Corruption):
    """Gives ``size`` clients an identifier that another one has already; the identifiers are the damaged keys."""

    kind: Literal["id_doubled"] = "id_doubled"
    stores: ClassVar[tuple[str, ...]] = ("ids",)

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        if not evidence.has("history"):
            raise NotApplicable("there is no history")
        history = evidence.history()
        rows = np.flatnonzero(history.is_f("generate") & (history.statuses() == OK))
        if len(rows) < 2 * size:
            raise NotApplicable(f"{len(rows)} identifiers were given, {2 * size} are needed")
        chosen = rng.choice(rows, 2 * size, replace=False)
        given = history.values("result")
        said = [given[row] for row in chosen[:size]]
        column = history.table["result"].type
        cells = said if str(column).startswith("int") else [to_json(each) for each in said]
        table = with_cells(history.table, "result", [int(row) for row in chosen[size:]], cells)
        return Planted(evidence.replaced(history=History(table)), frozenset(str(each) for each in said))
