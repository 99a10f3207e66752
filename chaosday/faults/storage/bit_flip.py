"""One bit is not what it was."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.disks.storage import StorageFault


class StorageBitFlip(StorageFault):
    """Turn one bit of ``percent`` of the reads or writes; on writes the damage stays."""

    kind: Literal["storage.bit_flip"] = "storage.bit_flip"
    on: Literal["read", "write"] = "write"
    percent: float = Field(default=10, gt=0, le=100)
    at_least_bytes: int = Field(default=1, ge=1, description="Smaller reads or writes are left alone")

    damaging: ClassVar[bool] = True

    @property
    def wish(self) -> dict[str, Any]:
        return {"effect": "bit_flip", "calls": [self.on], "at_least_bytes": self.at_least_bytes}

    def read(self, said: dict[str, Any]) -> tuple[float, str]:
        return said["damaged"], f"blocks of {said['writes']} read back other than written"
