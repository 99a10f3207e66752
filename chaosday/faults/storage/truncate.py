"""Files lose their end."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.disks.storage import StorageFault


class StorageTruncate(StorageFault):
    """Cut ``cut_bytes`` off ``percent`` of the files that were written to, when they are closed."""

    kind: Literal["storage.truncate"] = "storage.truncate"
    cut_bytes: int = Field(default=4096, ge=1, le=1 << 40)

    damaging: ClassVar[bool] = True

    @property
    def wish(self) -> dict[str, Any]:
        return {"effect": "truncate", "calls": ["release"], "cut_bytes": self.cut_bytes}

    def read(self, said: dict[str, Any]) -> tuple[float, str]:
        return said["missing"], "bytes missing at the end"
