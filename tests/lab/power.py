"""A cut of power without a machine to cut it from: the disk of a lab host as it is at one moment."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.lab.hosts import LabHost


@contextlib.contextmanager
def disk_after_power_cut(host: LabHost) -> Iterator[Path]:
    """The host's data disk as it would be found after its power was cut now: mounted, its journal replayed.

    What is only in the page cache is not in the image file of the loop device, and so not in a copy of it. The
    host itself goes on and notices nothing.
    """
    with tempfile.TemporaryDirectory() as scratch:
        image, place = Path(scratch) / "disk.img", Path(scratch) / "disk"
        place.mkdir()
        _sh("cp", "--sparse=always", str(host.directory / "data.img"), str(image))
        _sh("mount", "-o", "loop", str(image), str(place))
        try:
            yield place
        finally:
            _sh("umount", str(place))


def _sh(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
