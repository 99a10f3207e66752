"""The file system that storage faults lie in: how it is laid over a directory, with a fault or before one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources, util
from pathlib import Path
from shlex import quote
from typing import Any

from chaosday.errors import CapabilityMissing, ForeignState, UsageError

PATIENCE_S = 60
STANDING = "chaosday-cover-"
"""What the name of a mount begins with that was there before any fault; the rest tells its path."""


BESIDE = ("fault_filesystem_cache.py", "fault_filesystem_paths.py")
"""What the daemon finds in its control directory."""


@dataclass(frozen=True)
class Cover:
    """One such mount: its ``name`` in the table of mounts, and ``control``, where it is told what to do."""

    name: str

    @property
    def control(self) -> str:
        """A directory of root's."""
        return f"/run/{self.name}"

    def told(self, path: str, directory: str, *, direct: bool = False, readahead: bool = True, parent: int = 0) -> str:
        """The daemon's argument; ``directory`` is device:inode of what lies at the path now, and is to be covered."""
        words = {"path": path, "directory": directory, "name": self.name, "control": self.control}
        return json.dumps({**words, "direct": direct, "readahead": readahead, "parent": parent})

    def wish(self, lease_id: str, wish: dict[str, Any]) -> str:
        """Shell text that asks for harm; whole at once, since a half-written wish would be none."""
        return (
            f"printf %s {quote(json.dumps(wish))} > {self.control}/{lease_id}.new && "
            f"mv {self.control}/{lease_id}.new {self.control}/wishes/{lease_id}.json || exit 1\n"
        )

    def unwish(self, lease_id: str) -> str:
        """Shell text that ends the harm, and waits until what was held back has been written."""
        return (
            f"rm -f {self.control}/wishes/{lease_id}.json {self.control}/{lease_id}.new\ntries=0\n"
            f"while [ -e {self.control}/holding ] && ! grep -qs volatile_cache {self.control}/wishes/*.json && "
            "[ $tries -lt 200 ]; do tries=$((tries + 1)); sleep 0.05 2>/dev/null || sleep 1; done\n"
        )


def cover_of(path: Path) -> Cover | None:
    """The one that lies over a directory of this machine, whoever laid it."""
    name = ""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        device, place = line.split(" ")[:2]
        if place.encode().decode("unicode_escape") == str(path.resolve()):
            name = device
    return Cover(name) if name.startswith("chaosday-") else None


def until_ended(path: Path) -> None:
    """Return where somebody else takes the cover off."""
    while cover_of(path) is not None:
        time.sleep(0.5)


def source(name: str) -> str:
    """The text of a module of this room that runs on targets."""
    return resources.files("chaosday.mechanisms.disks").joinpath(name).read_text()


def library() -> str:
    """The text of mfusepy, for targets that have none."""
    found = util.find_spec("mfusepy")
    if found is None or not found.origin:
        raise CapabilityMissing("neither the target nor this machine has mfusepy; install: pip install mfusepy")
    return Path(found.origin).read_text()


@contextmanager
def covered(path: Path, *, direct: bool = False) -> Iterator[Cover]:
    """Lay it over a directory of this machine, doing no harm until a fault asks for some; taken off at the end.

    Whatever is to be hurt has to open its files after this. ``direct`` leaves the page cache out, so that every read
    comes by, at the price of shared memory maps. Needs root. It ends with this process, however that ends.
    """
    place = path.resolve()
    if not place.is_dir():
        raise UsageError(f"{path} is not a directory")
    cover = Cover(f"{STANDING}{zlib.crc32(str(place).encode()):08x}")
    control = Path(cover.control)
    if cover_of(place) is not None:
        raise ForeignState(f"{place} is covered already; see: findmnt {place}")
    try:
        # One whose daemon died with the machine or by hand leaves this behind, and nothing that is mounted.
        shutil.rmtree(control, ignore_errors=True)
        control.mkdir(mode=0o700)
    except OSError as error:
        raise CapabilityMissing(f"covering a directory needs root: {error.strerror} ({control})") from None
    try:
        (control / "wishes").mkdir()
        (control / "mfusepy.py").write_text(library())
        for name in BESIDE:
            (control / name).write_text(source(name))
        found = place.stat()
        told = cover.told(str(place), f"{found.st_dev}:{found.st_ino}", direct=direct, parent=os.getpid())
        with (control / "log").open("wb") as log:
            daemon = subprocess.Popen(
                [sys.executable, "-I", "-c", source("fault_filesystem_daemon.py"), told],
                cwd=control, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            _until_there(place, daemon, control / "log")
            yield cover
        finally:
            subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
    finally:
        shutil.rmtree(control, ignore_errors=True)


def _until_there(place: Path, daemon: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not place.is_mount():
        if daemon.poll() is not None or time.monotonic() > until:
            daemon.kill()
            said = log.read_text(errors="replace").strip().splitlines() or ["no word"]
            raise CapabilityMissing(f"{place} could not be covered: {said[-1]}; install: apt install fuse3 libfuse3-3")
        time.sleep(0.02)
