"""A NATS server with JetStream, its files on a disk whose power can be cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chaosday.mechanisms.disks.disk import disk
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server, program
from chaosday.targets.nats import Nats


@contextmanager
def stand(folder: Path) -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (a target), ``process``, ``disk``."""
    with ExitStack() as undo:
        made = undo.enter_context(disk(folder / "power"))
        port = free_port()
        words = ["--jetstream", f"--store_dir={made.path}/nats", "--addr=127.0.0.1", f"--port={port}"]
        server = Server("nats", [program("nats-server", "nats-server"), *words], folder)
        undo.callback(server.stop)
        server.start(Nats(port=port).reach)
        yield {
            "server": {"kind": "nats", "port": port},
            "process": server.process(folder / "leases"),
            "disk": {"image": str(made.image), "path": str(made.path)},
        }
