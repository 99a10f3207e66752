"""A PostgreSQL and another that subscribes to its changes (logical replication), a fault proxy between them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, cast

from chaosday.lab.scenarios import restart_script
from chaosday.mechanisms.proxy.client import ProxyProcess
from chaosday.model.target import Postgres, Route, Target
from chaosday.registry import member
from chaosday.servers import postgres
from chaosday.servers.postgres import Node
from chaosday.targets.proxy_route import ProxyRoute

NAME = "chaosday"
"""Of the publication, of the subscription and of its slot."""
LOGICAL = "wal_level = logical\nwal_retrieve_retry_interval = 200ms\nmax_replication_slots = 20"


@contextmanager
def stand(folder: Path) -> Iterator[dict[str, Any]]:
    """Facts: ``source`` and ``sink`` (targets), ``source_process``, ``sink_process``, ``apply`` (the process at the
    sink that applies changes), ``upstream`` and ``control`` of the route ``stream``, and ``subscription``, its name."""
    with ExitStack() as undo:
        scratch = undo.enter_context(postgres.scratch(folder / "lab"))
        # In the titles of its processes: an apply worker of somebody else's must not be taken for this one.
        title = f"chaosday-sink-{secrets.token_hex(4)}"
        source = postgres.primary(scratch, name="source", extra=LOGICAL)
        undo.callback(source.stop)
        sink = postgres.primary(scratch, name="sink", extra=f"{LOGICAL}\ncluster_name = '{title}'")
        undo.callback(sink.stop)
        proxy = ProxyProcess.start(folder / "proxy.json")
        undo.callback(proxy.close)
        upstream = f"127.0.0.1:{source.port}"
        link = ProxyRoute(route="stream", upstream=upstream, control=str(proxy.state_file))
        host, port = link.capability(Route).address()
        publish(source)
        subscribe(sink, source.password, host, port)
        yield {
            "source": source.target(),
            "sink": sink.target(),
            "source_process": {**source.process(folder / "leases"), "restart": restart_script(source)},
            "sink_process": {**sink.process(folder / "leases"), "restart": restart_script(sink)},
            "apply": {
                "kind": "local_process",
                "pattern": f"^postgres: {title}: logical replication apply worker",
                "state_dir": str(folder / "leases"),
            },
            "upstream": upstream,
            "control": str(proxy.state_file),
            "subscription": NAME,
        }


def publish(source: Node) -> None:
    """Publish every table that there is and will be."""
    ask(source, f"create publication {NAME} for all tables")


def subscribe(sink: Node, password: str, host: str, port: int, options: str = "") -> None:
    """Subscribe to it at that address; the password goes over the connection, into the sink's catalogue alone."""
    at = f"host={host} port={port} user=postgres dbname=postgres password={password}"
    ask(sink, f"create subscription {NAME} connection '{at}' publication {NAME} {options}")


def ask(node: Node, *statements: str) -> list[Any]:
    """Run statements on a node's database, each for itself; the rows of the last one, where it gives any."""
    database = cast(Target, member("targets", "postgresql").model_validate(node.target()))
    with closing(database.capability(Postgres).connect()) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []
