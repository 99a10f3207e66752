"""A write arrives at the wrong place."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.disks.storage import StorageFault


class StorageMisdirectedWrite(StorageFault):
    """Put ``percent`` of the writes one block (4 KiB) behind where they belong, over what is there."""

    kind: Literal["storage.misdirected_write"] = "storage.misdirected_write"
    percent: float = Field(default=10, gt=0, le=100)

    damaging: ClassVar[bool] = True

    @property
    def wish(self) -> dict[str, Any]:
        return {"effect": "misdirected_write", "calls": ["write"]}

    def read(self, said: dict[str, Any]) -> tuple[float, str]:
        return said["damaged"] + said["missing"] / 4096, f"blocks of {said['writes']} read back other than written"
