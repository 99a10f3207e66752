"""Calls on files fail."""

from __future__ import annotations

from typing import Any, Literal

from chaosday.mechanisms.disks.storage import StorageFault

Call = Literal["open", "create", "read", "write", "fsync"]


class StorageErrno(StorageFault):
    """Let ``percent`` of the chosen calls fail with ``errno``."""

    kind: Literal["storage.errno"] = "storage.errno"
    calls: list[Call] = ["write", "fsync"]
    errno: Literal["EIO", "ENOSPC", "EDQUOT", "EROFS", "EACCES", "EMFILE", "ESTALE"] = "EIO"

    @property
    def wish(self) -> dict[str, Any]:
        return {"effect": "errno", "calls": self.calls, "errno": self.errno}

    def read(self, said: dict[str, Any]) -> tuple[float, str]:
        return said["errors"], f"calls failed of {said['writes']} writes and what belongs to them"
