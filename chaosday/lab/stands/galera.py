"""A Galera cluster of three MariaDB nodes."""

from __future__ import annotations

import secrets
import shutil
import uuid
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
STATE = "# GALERA saved state\nversion: 2.1\nuuid:    {uuid}\nseqno:   0\nsafe_to_bootstrap: {first}\n"


@contextmanager
def stand(folder: Path, *, settings: str = "") -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (the first node, a target), ``ports`` of all.

    All three begin with the same files and say so, so that what a node lacks when it joins is sent as writesets
    (IST) and no files have to be copied between running servers.
    """
    if not LIBRARY.exists():
        raise CapabilityMissing(f"{LIBRARY} is not installed: apt-get install galera-4")
    password, cluster = secrets.token_hex(12), uuid.uuid4()
    ports, group = [free_port() for _ in range(NODES)], [free_port() for _ in range(NODES)]
    with ExitStack() as undo:
        for number in range(NODES):
            name, data = f"node{number}", folder / f"node{number}.data"
            server = node(name, folder, data, ports[number], password, settings)
            if number:
                shutil.rmtree(data)
                shutil.copytree(folder / "pristine", data)
                server.command.remove(next(each for each in server.command if each.startswith("--init-file")))
            else:
                shutil.copytree(data, folder / "pristine")
            (data / "grastate.dat").write_text(STATE.format(uuid=cluster, first=int(not number)))
            server.command += _wsrep(name, group, number)
            undo.callback(server.stop)
            target = MariaDB.model_validate({"port": ports[number], "password": password})
            server.start(partial(_joined, target, number + 1), timeout_s=60)
        yield {"server": {"kind": "mariadb", "port": ports[0], "password": password}, "ports": ports}


def _wsrep(name: str, group: list[int], number: int) -> list[str]:
    joined = ",".join(f"127.0.0.1:{each}" for each in group[:number])
    provider = {
        "base_host": "127.0.0.1",
        "base_port": group[number],
        "gmcast.listen_addr": f"tcp://127.0.0.1:{group[number]}",
        "ist.recv_addr": f"127.0.0.1:{free_port()}",
        "gcache.size": "32M",
    }
    options = {
        "wsrep-on": "ON",
        "wsrep-provider": str(LIBRARY),
        "wsrep-cluster-address": f"gcomm://{joined}",
        "wsrep-node-name": name,
        "wsrep-node-address": "127.0.0.1",
        "wsrep-provider-options": ";".join(f"{key}={value}" for key, value in provider.items()),
        "binlog-format": "ROW",
        "innodb-autoinc-lock-mode": "2",
        "innodb-flush-log-at-trx-commit": "0",
    }
    return [f"--{key}={value}" for key, value in options.items()]


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
