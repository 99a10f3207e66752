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
from chaosday.targets.proxy_route import ProxyRoute


@contextmanager
def stand(
    folder: Path, *, synchronous: bool = False, standbys: int = 1, synchronous_standby_names: str = ""
) -> Iterator[dict[str, Any]]:
    """Facts: ``primary``, ``standby`` and, of two, ``standby2`` (targets), ``control``, ``upstream``, ``process``.

    The routes are called ``replication`` and ``replication2``, the standbys ``standby`` and ``standby2``.
    """
    with ExitStack() as undo:
        scratch = undo.enter_context(postgres.scratch(folder / "lab"))
        primary = postgres.primary(scratch)
        undo.callback(primary.stop)
        proxy = ProxyProcess.start(folder / "proxy.json")
        undo.callback(proxy.close)
        upstream = f"127.0.0.1:{primary.port}"
        nodes = {}
        for number in range(1, standbys + 1):
            suffix = "" if number == 1 else str(number)
            link = ProxyRoute(route=f"replication{suffix}", upstream=upstream, control=str(proxy.state_file))
            port = link.capability(Route).address()[1]
            node = postgres.standby(primary, scratch, upstream_port=port, name=f"standby{suffix}")
            undo.callback(node.stop)
            nodes[node.name] = node
        database = cast(Target, member("targets", "postgresql").model_validate(_target(primary)))
        with database.capability(Sql).connect() as connection:
            if names := synchronous_standby_names or ("standby" if synchronous else ""):
                connection.execute(f"alter system set synchronous_standby_names = '{names}'")
                connection.execute("select pg_reload_conf()")
        done = settled(Settle(), PostgresReplicating(standbys=standbys), database, SystemClock())
        if not done.settled:
            said = "; ".join(node.last_words() for node in nodes.values())
            raise TargetUnreachable(f"the standbys do not stream: {done.words}; their logs end: {said}")
        yield {
            "primary": _target(primary),
            "upstream": upstream,
            **{name: _target(node) for name, node in nodes.items()},
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
