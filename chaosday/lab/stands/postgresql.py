"""One PostgreSQL server, on a disk of its own whose power can be cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chaosday.lab.scenarios import restart_script
from chaosday.mechanisms.disks.disk import below_a_cover, disk, sh
from chaosday.servers import postgres


@contextmanager
def stand(
    folder: Path, *, settings: str = "", own_disk: bool = False, cover: bool = False, checksums: bool = True
) -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (a target), ``process``, ``host``; with ``own_disk`` ``disk`` (image, path); with ``cover``
    ``data``: a directory of such a disk that lies below a file system which can be hurt. ``settings`` go into
    postgresql.conf, separated by semicolons."""
    with ExitStack() as undo:
        scratch = undo.enter_context(postgres.scratch(folder / "lab"))
        facts: dict[str, Any] = {}
        place = scratch
        if own_disk or cover:
            made = undo.enter_context(disk(scratch / "power", 512))
            place = made.path
            for each in (made.image.parent, place):
                each.chmod(0o711)
            facts["disk"] = {"image": str(made.image), "path": str(made.path)}
        if cover:
            place = undo.enter_context(below_a_cover(place / "covered"))
            facts["data"] = str(place)
        binaries = postgres.usable_binaries(scratch)
        extra = "\n".join(settings.split(";"))
        node = postgres.primary(place, extra=extra, bin_directory=binaries, checksums=checksums)
        undo.callback(node.stop)
        if own_disk or cover:
            # What there is before the experiment is on the disk: only what it writes can be lost.
            sh("sync", "-f", str(place))
        facts["server"] = node.target()
        facts["host"] = {"kind": "local_host", "state_dir": str(folder / "leases")}
        facts["process"] = {**node.process(folder / "leases"), "restart": restart_script(node)}
        yield facts
