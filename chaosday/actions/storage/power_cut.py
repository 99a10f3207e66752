"""The power goes: what had not reached the disk is gone."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from chaosday.errors import ScratchMarkMissing, TargetUnreachable, UsageError
from chaosday.mechanisms.disks.cover import cover_of
from chaosday.mechanisms.disks.disk import Disk, lose_what_is_not_synced
from chaosday.mechanisms.hosts.scratch import SCRATCH
from chaosday.model.action import Action
from chaosday.model.target import Target

ANSWER_S = 10


class StoragePowerCut(Action):
    """Lose what was written and not synced: the other half of a power cut, whose first is the SIGKILL of whatever had
    files open there.

    With ``image`` it is the page cache of the file system in that file, mounted at ``path``, and ``.chaosday-scratch``
    has to lie beside the image. Without, it is what the fault ``storage.volatile_cache`` holds back at ``path``, which
    has to hold the mark. There ``tear`` keeps the first half of the last write of each file, and ``keep_percent`` of
    the blocks had been written back in time, drawn by ``seed``.
    """

    kind: Literal["storage.power_cut"] = "storage.power_cut"
    image: str = Field(default="", description="The image file of the loop device; empty with storage.volatile_cache")
    path: str = Field(default="", description="Where it is mounted")
    tear: bool = True
    keep_percent: float = Field(default=0, ge=0, le=100)
    seed: int = 0

    def act(self, targets: Mapping[str, Target]) -> str:
        return self._of_an_image(Path(self.image)) if self.image else self._of_a_cover(Path(self.path))

    def _of_an_image(self, image: Path) -> str:
        path = Path(self.path)
        if not image.is_file() or not path.is_mount():
            raise UsageError(f"{self.image} has to be a file, and {self.path or 'path'} its mount")
        _need_mark(image.parent)
        kept = lose_what_is_not_synced(Disk(image, path))
        return f"{path} is as it was on its disk, {kept >> 10:,} KiB; what was only in the cache is gone"

    def _of_a_cover(self, path: Path) -> str:
        cover = cover_of(path)
        if cover is None or not Path(cover.control, "holding").exists():
            raise UsageError(f"nothing holds back what is written at {path}: is storage.volatile_cache on there?")
        _need_mark(path)
        done, asked = Path(cover.control, "cut.done"), Path(cover.control, "cut.new")
        done.unlink(missing_ok=True)
        asked.write_text(json.dumps({"tear": self.tear, "keep_percent": self.keep_percent, "seed": self.seed}))
        asked.rename(asked.with_name("cut"))
        until = time.monotonic() + ANSWER_S
        while not done.exists():
            if time.monotonic() > until:
                raise TargetUnreachable(f"the file system over {path} did not say within {ANSWER_S} s what it forgot")
            time.sleep(0.01)
        said = json.loads(done.read_text())
        return (
            f"{said['bytes']:,} bytes of {said['files']} files under {path} were never synced and are gone; "
            f"{said['kept']:,} bytes had been written back in time, {said['torn']} last writes torn"
        )


def _need_mark(folder: Path) -> None:
    if not (folder / SCRATCH).exists():
        raise ScratchMarkMissing(f"{folder} is not marked as scratch; if it is: touch {folder}/{SCRATCH}")
