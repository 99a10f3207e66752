"""The power goes: what had not reached the disk is gone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from chaosday.errors import ScratchMarkMissing, UsageError
from chaosday.lab.disk import Disk, lose_what_is_not_synced
from chaosday.model.action import Action
from chaosday.model.target import Target

MARK = ".chaosday-scratch"


class StoragePowerCut(Action):
    """Lose the page cache of a file system that lies in an image file: the other half of a power cut, whose first
    is the SIGKILL of whatever had files open on it. Only where ``.chaosday-scratch`` lies beside the image."""

    kind: Literal["storage.power_cut"] = "storage.power_cut"
    image: str = Field(default="", description="The image file of the loop device")
    path: str = Field(default="", description="Where it is mounted")

    def act(self, targets: Mapping[str, Target]) -> str:
        image, path = Path(self.image), Path(self.path)
        if not image.is_file() or not path.is_mount():
            raise UsageError(f"{self.image or 'image'} has to be a file, and {self.path or 'path'} its mount")
        if not (image.parent / MARK).exists():
            raise ScratchMarkMissing(f"{image.parent} is not marked as scratch; if it is: touch {image.parent}/{MARK}")
        kept = lose_what_is_not_synced(Disk(image, path))
        return f"{path} is as it was on its disk, {kept >> 10:,} KiB; what was only in the cache is gone"
