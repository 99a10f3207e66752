"""A disk of one's own in a file, so that power can be cut: what was not synced is not in the file."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.mechanisms.disks.cover import covered
from chaosday.mechanisms.hosts.scratch import SCRATCH


@dataclass(frozen=True)
class Disk:
    """An ext4 file system in ``image``, mounted at ``path``."""

    image: Path
    path: Path


@contextmanager
def disk(folder: Path, size_mib: int = 256) -> Iterator[Disk]:
    """Make it, mark it as scratch, mount it, and take it away again. Needs root and a loop device."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        raise CapabilityMissing("a disk of one's own needs root, a loop device and mkfs.ext4 (e2fsprogs)")
    folder.mkdir(parents=True, exist_ok=True)
    made = Disk(folder / "disk.img", folder / "disk")
    made.path.mkdir()
    (folder / SCRATCH).touch()
    with made.image.open("wb") as file:
        file.truncate(size_mib << 20)
    sh("mkfs.ext4", "-q", "-F", str(made.image))
    mount(made)
    try:
        yield made
    finally:
        subprocess.run(["umount", "-l", str(made.path)], capture_output=True, check=False)


@contextmanager
def below_a_cover(place: Path, *, direct: bool = True) -> Iterator[Path]:
    """Make a scratch directory below a file system in which storage faults can come and go; see ``cover.covered``."""
    place.mkdir(mode=0o711)
    (place / SCRATCH).touch()
    with covered(place, direct=direct):
        yield place


def mount(made: Disk) -> None:
    """Mount the image, which replays its journal."""
    sh("mount", "-o", "loop", str(made.image), str(made.path))


def lose_what_is_not_synced(made: Disk) -> int:
    """Put the file system into the state that is really on the disk; how many bytes that is.

    What is only in the page cache of the mount is not in the image file of its loop device, and so not in a copy.
    Whatever had files open there has to be dead by now: it would go on with the old ones.
    """
    kept = made.image.with_suffix(".kept")
    sh("cp", "--sparse=always", str(made.image), str(kept))
    # Unmounting writes the cache back, into an image that nobody will look at any more.
    sh("umount", str(made.path))
    kept.replace(made.image)
    mount(made)
    return made.image.stat().st_blocks * 512


def sh(*command: str) -> None:
    """Run it; ``TargetUnreachable`` with its last words where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no word"]
        raise TargetUnreachable(f"{command[0]} failed: {said[-1]}")
