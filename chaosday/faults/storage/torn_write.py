"""Only the first part of a write arrives."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.disks.storage import StorageFault


class StorageTornWrite(StorageFault):
    """Keep the first half (whole sectors) of ``percent`` of the writes and answer that all was written."""

    kind: Literal["storage.torn_write"] = "storage.torn_write"
    percent: float = Field(default=10, gt=0, le=100)

    damaging: ClassVar[bool] = True

    @property
    def wish(self) -> dict[str, Any]:
        return {"effect": "torn_write", "calls": ["write"]}

    def read(self, said: dict[str, Any]) -> tuple[float, str]:
        return said["damaged"] + said["missing"] / 4096, f"blocks of {said['writes']} read back other than written"
