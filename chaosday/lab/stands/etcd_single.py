"""One member of etcd that is the whole cluster, its files below a file system that can be hurt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chaosday.mechanisms.disks.disk import below_a_cover, disk
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server, program
from chaosday.targets.etcd import Etcd


@contextmanager
def stand(folder: Path) -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (a target), ``process``, ``host``, ``data``: the covered directory."""
    binary = program("etcd", "etcd-server")
    with ExitStack() as undo:
        place = undo.enter_context(disk(folder / "power")).path / "data"
        # Its database is mapped into memory, and so has to pass through the page cache.
        data = undo.enter_context(below_a_cover(place, direct=False))
        clients, peers = free_port(), free_port()
        command = [
            binary, "--name=only", f"--data-dir={data}/etcd", f"--initial-cluster=only=http://127.0.0.1:{peers}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peers}", f"--listen-peer-urls=http://127.0.0.1:{peers}",
            f"--listen-client-urls=http://127.0.0.1:{clients}",
            f"--advertise-client-urls=http://127.0.0.1:{clients}", "--log-level=error",
        ]  # fmt: skip
        server = Server("etcd", command, folder, {"ETCD_UNSUPPORTED_ARCH": ""})
        undo.callback(server.stop)
        server.start(Etcd(port=clients).reach)
        yield {
            "server": {"kind": "etcd", "port": clients},
            "process": server.process(folder / "leases"),
            "host": {"kind": "local_host", "state_dir": str(folder / "leases")},
            "data": str(data),
        }
