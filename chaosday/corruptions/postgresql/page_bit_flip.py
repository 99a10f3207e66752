"""A bit that flipped on the disk."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.mechanisms.hosts.postgres_tools import PAGE_BYTES
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.page_planting import PageCorruption


class PageBitFlip(PageCorruption):
    """Flips one bit in each of ``size`` pages, anywhere but in pd_upper, bytes 14 and 15: a page whose
    pd_upper becomes 0 counts as a new one and is skipped."""

    kind: Literal["page_bit_flip"] = "page_bit_flip"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        pages = self.pages(evidence)
        blocks = self.choose(pages, size, rng)
        for block in blocks:
            place = int(rng.choice([at for at in range(PAGE_BYTES) if at not in (14, 15)]))
            pages[block][place] ^= 1 << int(rng.integers(8))
        return self.planted(evidence, pages, blocks)
