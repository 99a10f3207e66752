"""A page that became zeros."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from chaosday.mechanisms.hosts.postgres_tools import PAGE_BYTES
from chaosday.model.corruption import Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.page_planting import PageCorruption


class PageZeroed(PageCorruption):
    """Fills pages with zeros. Not promised: PostgreSQL takes such a page for a new one, checksums or not."""

    kind: Literal["page_zeroed"] = "page_zeroed"
    promised: ClassVar[bool] = False

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        pages = self.pages(evidence)
        blocks = self.choose(pages, size, rng)
        for block in blocks:
            pages[block][:] = bytes(PAGE_BYTES)
        return self.planted(evidence, pages, blocks)
