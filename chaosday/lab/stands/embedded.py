"""What lives in a process, in one that can be killed, its files below a file system that can be hurt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chaosday.errors import UsageError
from chaosday.mechanisms.disks.disk import below_a_cover, disk
from chaosday.processes.python import python
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server
from chaosday.targets.line_store import LineStoreTarget

PLACES = {"sqlite_file": "db.sqlite", "duckdb_file": "db.duckdb", "parquet_folder": "",
          "delta_table": "", "iceberg_table": ""}  # fmt: skip


@contextmanager
def stand(folder: Path, *, engine: str = "sqlite_file") -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (a target), ``process``, ``host``, ``data``: the covered directory. ``engine`` is a target's
    kind."""
    if engine not in PLACES:
        raise UsageError(f"engine {engine!r} is none of {', '.join(PLACES)}")
    with ExitStack() as undo:
        data = undo.enter_context(below_a_cover(undo.enter_context(disk(folder / "power")).path / "data"))
        port = free_port()
        served = json.dumps({"kind": engine, "path": str(data / PLACES[engine])})
        server = Server("store", [*python(), "-m", "chaosday.clients.line_server", str(port), served], folder)
        undo.callback(server.stop)
        server.start(LineStoreTarget(port=port).reach)
        yield {
            "server": {"kind": "line_store", "port": port},
            "process": server.process(folder / "leases"),
            "host": {"kind": "local_host", "state_dir": str(folder / "leases")},
            "data": str(data),
        }
