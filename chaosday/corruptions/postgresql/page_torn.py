"""A page of which only half was written."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.mechanisms.hosts.postgres_tools import PAGE_BYTES
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.page_planting import PageCorruption


class PageTorn(PageCorruption):
    """Keeps the first half of a page and puts the second half of another behind it. Equivalent where both
    halves are the same."""

    kind: Literal["page_torn"] = "page_torn"

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        pages = self.pages(evidence)
        blocks = self.choose(pages, size, rng)
        whole = [bytes(page) for page in pages]
        half = PAGE_BYTES // 2
        for block in blocks:
            pages[block][half:] = whole[(block + 1) % len(whole)][half:]
        same = [block for block in blocks if bytes(pages[block]) == whole[block]]
        return self.planted(evidence, pages, blocks, same)
