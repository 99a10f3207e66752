"""A file that ends too early."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.page_planting import PageCorruption


class PageTailTruncated(PageCorruption):
    """Cuts whole pages off the end. Not promised: no page says how many there should be."""

    kind: Literal["page_tail_truncated"] = "page_tail_truncated"
    promised: ClassVar[bool] = False

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        pages = self.pages(evidence)
        self.choose(pages, size, rng)
        left = len(pages) - size
        return self.planted(evidence, pages[:left], range(left, len(pages)))
