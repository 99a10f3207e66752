"""A disk that has in its memory only what nobody synced."""

from __future__ import annotations

from typing import Any, Literal

from chaosday.mechanisms.disks.storage import StorageFault


class StorageVolatileCache(StorageFault):
    """Keep what is written in memory until it is synced, as the page cache and a disk's own cache do.

    By itself it harms nothing: healed, it writes back what it holds. The action ``storage.power_cut`` on the same
    path makes it forget, as LazyFS does (Ramos et al., VLDB 2024). Names, sizes and deletions are not held back: only
    what is in the files.
    """

    kind: Literal["storage.volatile_cache"] = "storage.volatile_cache"

    @property
    def wish(self) -> dict[str, Any]:
        return {"effect": "volatile_cache", "calls": ["write"]}

    def read(self, said: dict[str, Any]) -> tuple[float, str]:
        return said["held"], "bytes of a write that was not synced are not in the directory below"
