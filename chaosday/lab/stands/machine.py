"""A whole machine with PostgreSQL of Debian's on a disk of its own, whose power can be cut."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chaosday.errors import TargetUnreachable
from chaosday.lab import vm
from chaosday.mechanisms.disks.disk import below_a_cover, sh
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server, program
from chaosday.targets.postgresql import PostgreSQL

BOOT_S = 180
"""An emulated machine on a busy one; alone it takes about five seconds, and PostgreSQL two more."""


@contextmanager
def stand(folder: Path, *, settings: str = "") -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (a target), ``process`` (the machine), ``host``, and ``disk``: the directory of its disk's
    image, below a file system that holds back what the machine did not flush. ``settings`` go into postgresql.conf,
    separated by semicolons."""
    port = free_port()
    with ExitStack() as undo:
        # The machine's own page cache is one layer that forgets; the disk's cache below it is the other.
        place = undo.enter_context(below_a_cover(folder / "disk"))
        disk = place / "postgresql.ext4"
        words = vm.command({5432: port}, disk=disk)
        sh("cp", "--sparse=always", str(vm.cache() / "postgresql.ext4"), str(disk))
        _configure(disk, folder / "chaosday.conf", "\n".join(settings.split(";")))
        machine = Server("machine", words, folder)
        undo.callback(machine.stop)
        machine.start(PostgreSQL(port=port).reach, BOOT_S)
        yield {
            "server": {"kind": "postgresql", "port": port},
            "process": machine.process(folder / "leases"),
            "host": {"kind": "local_host", "state_dir": str(folder / "leases")},
            "disk": str(place),
        }


def _configure(disk: Path, file: Path, settings: str) -> None:
    """Put a file with settings into the image, with nothing mounted."""
    file.write_text(settings + "\n")
    debugfs = program("debugfs", "e2fsprogs")
    sh(debugfs, "-w", "-R", f"write {file} postgresql/chaosday.conf", str(disk))
    done = subprocess.run(
        [debugfs, "-R", "cat postgresql/chaosday.conf", str(disk)], capture_output=True, text=True, check=False
    )
    # debugfs ends with 0 whatever it did.
    if done.stdout != file.read_text():
        raise TargetUnreachable(f"the settings are not on the machine's disk: {done.stderr.strip()}")
