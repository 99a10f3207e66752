"""A deleted object that is back."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa

from chaosday.clients.object_content import OBJECTS
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.object_planting import ObjectCorruption, sure
from chaosday.planting.planting import pick


class ObjectResurrected(ObjectCorruption):
    """Puts back objects whose deletion was acknowledged."""

    kind: Literal["object_resurrected"] = "object_resurrected"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        table, owed = self.rows(evidence), sure(evidence.history())
        gone = {key: values[-2] for key, values in owed.items() if len(values) > 1 and not values[-1] and values[-2]}
        keys = pick(rng, np.array(sorted(gone), dtype=np.int64), size, "objects that were deleted")
        columns = [keys, [gone[key] for key in keys.tolist()], keys, [0] * len(keys)]
        return self.planted(evidence, pa.concat_tables([table, pa.table(columns, schema=OBJECTS)]), keys)
