"""A chunk keeps what it held before."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.disks.storage import StorageFault


class StorageStaleChunk(StorageFault):
    """Forget ``percent`` of the writes and answer that they were done: a later read finds the old content."""

    kind: Literal["storage.stale_chunk"] = "storage.stale_chunk"
    percent: float = Field(default=10, gt=0, le=100)

    damaging: ClassVar[bool] = True

    @property
    def wish(self) -> dict[str, Any]:
        return {"effect": "stale_chunk", "calls": ["write"]}

    def read(self, said: dict[str, Any]) -> tuple[float, str]:
        return said["damaged"] + said["missing"] / 4096, f"blocks of {said['writes']} read back other than written"
