"""What the corruptions of files need beside ``planting``: content to damage, and its digest afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from chaosday.model.corruption import Corruption, NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.planting.planting import pick
from chaosday.record.files import CONTENT, files_table

BLOCK_BYTES = 512


class FileCorruption(Corruption):
    """Damage to files of which the content was kept. Damaged keys are paths."""

    stores: ClassVar[tuple[str, ...]] = ("files",)
    store: str = Field(default="files.now", description="Name of the files as they were read back")

    def contents(self, evidence: Evidence) -> dict[str, bytes]:
        """Path -> content; ``NotApplicable`` where no content was kept."""
        if not evidence.has(f"rows/{self.store}"):
            raise NotApplicable("no files were read back")
        table = evidence.rows(self.store)
        if CONTENT.name not in table.column_names or not {"path", "digest"} <= set(table.column_names):
            raise NotApplicable(f"rows/{self.store} holds no content of files")
        kept = table.filter(table[CONTENT.name].is_valid())
        return dict(zip(kept["path"].to_pylist(), kept[CONTENT.name].to_pylist(), strict=True))

    def choose(
        self, contents: dict[str, bytes], size: int, rng: np.random.Generator, *, at_least_bytes: int = 1
    ) -> list[str]:
        """``size`` paths at random among files of at least so many bytes."""
        long_enough = [path for path, content in contents.items() if len(content) >= at_least_bytes]
        return [long_enough[n] for n in pick(rng, len(long_enough), size, f"files of {at_least_bytes} bytes or more")]

    def change(
        self,
        evidence: Evidence,
        size: int,
        rng: np.random.Generator,
        damage: Callable[[bytearray], bytes | bytearray],
        at_least_bytes: int = 1,
    ) -> Planted:
        """The evidence with ``size`` files damaged; one whose bytes stay the same is equivalent."""
        contents = self.contents(evidence)
        chosen = self.choose(contents, size, rng, at_least_bytes=at_least_bytes)
        return self.replaced(evidence, {path: bytes(damage(bytearray(contents[path]))) for path in chosen})

    def replaced(self, evidence: Evidence, changed: dict[str, bytes | None]) -> Planted:
        """The evidence with these files holding something else, or gone (None)."""
        contents, table = self.contents(evidence), evidence.rows(self.store)
        same: frozenset[int | str] = frozenset(path for path, now in changed.items() if now == contents.get(path))
        kept = table.filter(pa.array([path not in changed for path in table["path"].to_pylist()], pa.bool_()))
        now = files_table({path: content for path, content in changed.items() if content is not None}, keep=True)
        names = SHARED + [name for name in table.column_names if name not in SHARED]
        damaged = pa.concat_tables([kept.select(names), now], promote_options="default").select(table.column_names)
        return Planted(evidence.replaced(rows={self.store: damaged}), frozenset(changed) - same, same)


SHARED = ["path", "size_bytes", "digest", CONTENT.name]
