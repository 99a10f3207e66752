"""A sync says that data is on the disk when it is not."""

from __future__ import annotations

from typing import Any, Literal

from chaosday.mechanisms.disks.storage import StorageFault


class StorageLostFsync(StorageFault):
    """Answer fsync and fdatasync at once and do nothing: what they promised is gone with the next power cut."""

    kind: Literal["storage.lost_fsync"] = "storage.lost_fsync"

    @property
    def wish(self) -> dict[str, Any]:
        return {"effect": "lost_fsync", "calls": ["fsync"]}

    def read(self, said: dict[str, Any]) -> tuple[float, str]:
        if said["flushed"] < 0:
            return -1, "sectors reached the disk (no disk of its own to be read)"
        return said["flushed"], f"sectors reached the disk of {said['writes'] * 8} that were written and synced"

    def bites(self, baseline: Any, during: Any, data: dict[str, Any]) -> tuple[bool, str]:
        words = f"{during.value:g} {during.unit}, before {baseline.value:g}"
        return 0 <= during.value < baseline.value / 2, words
