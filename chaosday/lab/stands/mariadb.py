"""One MariaDB server, if asked for on a disk of its own whose power can be cut."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chaosday.mechanisms.disks.disk import disk, sh
from chaosday.servers.mariadb import node
from chaosday.servers.ports import free_port
from chaosday.targets.mariadb import MariaDB


@contextmanager
def stand(folder: Path, *, settings: str = "", own_disk: bool = False) -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (a target), ``process``, and with ``own_disk`` ``disk``. ``settings`` are options of the
    server, separated by semicolons."""
    with ExitStack() as undo:
        facts: dict[str, Any] = {}
        place = folder
        if own_disk:
            made = undo.enter_context(disk(folder / "power", 512))
            place = made.path
            facts["disk"] = {"image": str(made.image), "path": str(made.path)}
        port, password = free_port(), secrets.token_hex(12)
        server = node("mariadb", folder, place / "data", port, password, settings)
        undo.callback(server.stop)
        target = {"kind": "mariadb", "port": port, "password": password}
        server.start(MariaDB.model_validate(target).reach)
        if own_disk:
            sh("sync", "-f", str(place))
        yield {**facts, "server": target, "process": server.process(folder / "leases")}
