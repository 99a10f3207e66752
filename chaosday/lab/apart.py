"""A network namespace with one address, for a member of a cluster that can be cut off from the others."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.mechanisms.disks.disk import sh

SLOTS = 60
"""So many of them fit into 198.18.32.0/24, a range that RFC 2544 keeps for tests."""


@dataclass(frozen=True)
class Apart:
    """``here`` is this machine's address on the link, ``there`` that of the namespace called ``name``."""

    name: str
    here: str
    there: str

    def command(self, *words: str) -> list[str]:
        """The same command, run in there."""
        return ["ip", "netns", "exec", self.name, *words]


@contextmanager
def apart() -> Iterator[Apart]:
    """Make it and its link, and take both away again. Needs root and ``ip``."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        raise CapabilityMissing("a network namespace of one's own needs root and ip (apt-get install iproute2)")
    made = _taken()
    link = f"{made.name}v"
    try:
        sh("ip", "link", "set", f"{link}1", "netns", made.name)
        sh("ip", "addr", "add", f"{made.here}/30", "dev", f"{link}0")
        sh("ip", "link", "set", f"{link}0", "up")
        for words in (
            ("addr", "add", f"{made.there}/30", "dev", f"{link}1"),
            ("link", "set", f"{link}1", "up"),
            ("link", "set", "lo", "up"),
        ):
            sh("ip", "-n", made.name, *words)
        yield made
    finally:
        subprocess.run(["ip", "link", "del", f"{link}0"], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", made.name], capture_output=True, check=False)


def _taken() -> Apart:
    """A slot of which nobody has the link: making one that is there fails, so that it is also the lock."""
    for slot in range(SLOTS):
        made = Apart(f"cdapart{slot}", f"198.18.32.{4 * slot + 1}", f"198.18.32.{4 * slot + 2}")
        link = f"{made.name}v"
        words = ["ip", "link", "add", f"{link}0", "type", "veth", "peer", "name", f"{link}1"]
        if subprocess.run(words, capture_output=True, check=False).returncode == 0:
            subprocess.run(["ip", "netns", "del", made.name], capture_output=True, check=False)
            sh("ip", "netns", "add", made.name)
            return made
    raise TargetUnreachable(f"none of {SLOTS} links could be made; see: ip link")
