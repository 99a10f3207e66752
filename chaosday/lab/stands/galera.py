"""A Galera cluster of three MariaDB nodes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.lab.postgres import free_port
from chaosday.lab.stands.mariadb import node
from chaosday.targets.mariadb import MariaDB

LIBRARY = Path("/usr/lib/galera/libgalera_smm.so")
NODES = 3


@contextmanager
def stand(folder: Path, *, settings: str = "") -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (the first node, a target), ``ports`` of all. The state transfer is done at rest: the first
    node is copied before the others join, which need no more than what was written since."""
    if not LIBRARY.exists():
        raise CapabilityMissing(f"{LIBRARY} is not installed: apt-get install galera-4")
    password = secrets.token_hex(12)
    ports, group = [free_port() for _ in range(NODES)], [free_port() for _ in range(NODES)]
    with ExitStack() as undo:
        for number in range(NODES):
            joined = ",".join(f"127.0.0.1:{each}" for each in group[:number])
            wsrep = [
                "wsrep-on=ON", f"wsrep-provider={LIBRARY}", "binlog-format=ROW", "innodb-autoinc-lock-mode=2",
                "innodb-flush-log-at-trx-commit=0", f"wsrep-cluster-address=gcomm://{joined}",
                f"wsrep-node-name=node{number}", "wsrep-node-address=127.0.0.1", "wsrep-sst-method=rsync",
                f"wsrep-sst-receive-address=127.0.0.1:{free_port()}",
                f"wsrep-provider-options=base_port={group[number]};gmcast.listen_addr=tcp://127.0.0.1:{group[number]}"
                f";ist.recv_addr=127.0.0.1:{free_port()};gcache.size=32M",
            ]  # fmt: skip
            name = f"node{number}"
            server = node(name, folder, folder / f"{name}.data", ports[number], password, settings)
            server.command += [f"--{each}" for each in wsrep]
            if number:
                server.command.remove(next(each for each in server.command if each.startswith("--init-file")))
            undo.callback(server.stop)
            target = MariaDB.model_validate({"port": ports[number], "password": password})
            server.start(partial(_joined, target, number + 1), timeout_s=60)
        yield {"server": {"kind": "mariadb", "port": ports[0], "password": password}, "ports": ports}


def _joined(target: MariaDB, size: int) -> None:
    """The node is synced, and sees as many as have been started."""
    connection = target.connect(5)
    try:
        with connection.cursor() as cursor:
            cursor.execute("show status where variable_name in ('wsrep_local_state_comment', 'wsrep_cluster_size')")
            said = dict(cursor.fetchall())
    finally:
        connection.close()
    if (said.get("wsrep_local_state_comment"), said.get("wsrep_cluster_size")) != ("Synced", str(size)):
        raise TargetUnreachable(f"the node is {said}")
