"""A PostgreSQL primary and its streaming standby, a fault proxy before and between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

from chaosday.clock import SystemClock
from chaosday.errors import TargetUnreachable
from chaosday.experiment import Settle
from chaosday.lab import postgres
from chaosday.lab.postgres import Node
from chaosday.model.target import Route, Sql, Target
from chaosday.probes.postgresql.replicating import PostgresReplicating
from chaosday.proxy.client import ProxyProcess
from chaosday.registry import member
from chaosday.settling import settled


@contextmanager
def stand(folder: Path, *, synchronous: bool = False) -> Iterator[dict[str, Any]]:
    """Facts: ``primary`` and ``standby`` (port, password, data, bin), ``control``, ``process``."""
    with ExitStack() as undo:
        scratch = undo.enter_context(postgres.scratch(folder / "lab"))
        primary = postgres.primary(scratch)
        undo.callback(primary.stop)
        proxy = ProxyProcess.start(folder / "proxy.json")
        undo.callback(proxy.close)
        upstream = f"127.0.0.1:{primary.port}"
        data = {"kind": "proxy_route", "route": "replication", "upstream": upstream, "control": str(proxy.state_file)}
        link = member("targets", "proxy_route").model_validate(data)
        port = cast(Target, link).capability(Route).address()[1]
        standby = postgres.standby(primary, scratch, upstream_port=port)
        undo.callback(standby.stop)
        database = cast(Target, member("targets", "postgresql").model_validate(_target(primary)))
        with database.capability(Sql).connect() as connection:
            if synchronous:
                connection.execute(f"alter system set synchronous_standby_names = '{standby.name}'")
                connection.execute("select pg_reload_conf()")
        done = settled(Settle(), PostgresReplicating(synchronous=synchronous), database, SystemClock())
        if not done.settled:
            raise TargetUnreachable(f"the standby does not stream: {done.words}; {standby.last_words()}")
        yield {
            "primary": _target(primary),
            "upstream": upstream,
            "standby": _target(standby),
            "control": str(proxy.state_file),
            "process": {
                "kind": "local_process", "pid_file": str(primary.pid_file), "tree": True,
                "state_dir": str(folder / "leases"),
            },
        }  # fmt: skip


def _target(node: Node) -> dict[str, Any]:
    return {
        "kind": "postgresql",
        "port": node.port,
        "password": node.password,
        "data_directory": str(node.data),
        "bin_directory": str(node.bin),
    }
