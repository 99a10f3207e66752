"""A page written in the place of another."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.page_planting import PageCorruption


class PageMisdirected(PageCorruption):
    """Puts a whole valid page where another belongs; its checksum was made for another block. Equivalent
    where there is only one page."""

    kind: Literal["page_misdirected"] = "page_misdirected"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        pages = self.pages(evidence)
        blocks = self.choose(pages, size, rng)
        whole = [bytes(page) for page in pages]
        for block in blocks:
            pages[block][:] = whole[(block + 1) % len(whole)]
        same = [block for block in blocks if bytes(pages[block]) == whole[block]]
        return self.planted(evidence, pages, blocks, same)
