"""What the corruptions of PostgreSQL pages need: real pages, and the real tool run on them again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from chaosday.errors import CapabilityMissing
from chaosday.mechanisms.hosts.postgres_tools import PAGE_BYTES, checked_slice, installed, packed, slice_pages
from chaosday.model.corruption import Corruption, NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import pick


class PageCorruption(Corruption):
    """Damage to the pages of one table, kept when pg_checksums was run; the same tool judges them again.

    Damaged keys are in the words of the pg_checksums check: ``base/5/16394 block 3``.
    """

    stores: ClassVar[tuple[str, ...]] = ("postgresql_pages",)
    observation: str = Field(default="pg_checksums", description="Name of the tool's saved output")

    def pages(self, evidence: Evidence) -> list[bytearray]:
        """The pages that hold anything: PostgreSQL takes a page of zeros for a new one and skips it."""
        if not evidence.has(f"observations/{self.observation}"):
            raise NotApplicable("pg_checksums was not run")
        said = evidence.observation(self.observation)
        held = slice_pages(said)
        if not held:
            raise NotApplicable("no pages were kept when pg_checksums was run")
        if not said.get("checksums"):
            raise NotApplicable("the cluster has no data checksums")
        try:
            found = (installed().bin_directory / "pg_checksums").is_file()
        except CapabilityMissing:
            found = False
        if not found:
            raise NotApplicable("pg_checksums is not on this machine")
        pages = [bytearray(held[at : at + PAGE_BYTES]) for at in range(0, len(held) - PAGE_BYTES + 1, PAGE_BYTES)]
        full = [page for page in pages if any(page)]
        if len(full) < len(pages):
            raise NotApplicable("the kept pages have gaps")
        return pages

    def choose(self, pages: list[bytearray], size: int, rng: np.random.Generator) -> list[int]:
        """``size`` pages at random, by block."""
        return [int(block) for block in pick(rng, len(pages), size, "pages")]

    def planted(
        self,
        evidence: Evidence,
        pages: Iterable[bytes | bytearray],
        blocks: Iterable[int],
        equivalent: Iterable[int] = (),
    ) -> Planted:
        """What pg_checksums says of these pages, in place of what it said."""
        said = evidence.observation(self.observation)
        damaged = b"".join(bytes(page) for page in pages)
        with tempfile.TemporaryDirectory(prefix="chaosday-pages-") as folder:
            now = checked_slice(said, damaged, Path(folder))
        kept = said["slice"] | {"pages": packed(damaged)}
        relation = said["slice"]["relation"]
        same: frozenset[int | str] = frozenset(f"{relation} block {block}" for block in equivalent)
        keys: frozenset[int | str] = frozenset(f"{relation} block {block}" for block in blocks)
        return Planted(
            evidence.replaced(observations={self.observation: said | now | {"slice": kept}}), keys - same, same
        )
