"""A Galera cluster of three MariaDB nodes."""

from __future__ import annotations

import secrets
import shlex
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.mechanisms.disks.disk import disk, sh
from chaosday.servers.account import unprivileged
from chaosday.servers.mariadb import node, server_command
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server
from chaosday.targets.mariadb import MariaDB

LIBRARY = Path("/usr/lib/galera/libgalera_smm.so")
NODES = 3


@contextmanager
def stand(folder: Path, *, settings: str = "", own_disk: bool = False) -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (the first node, a target), ``ports`` of all, ``process0`` and so on; with ``own_disk``
    ``disk``, which all of them are on. After a crash only the first one is started again, as a new cluster.

    The first one begins with its accounts made; the others get all of it from it, by rsync.
    """
    if not LIBRARY.exists():
        raise CapabilityMissing(f"{LIBRARY} is not installed: apt-get install galera-4")
    password = secrets.token_hex(12)
    ports, group = [free_port() for _ in range(NODES)], [free_port() for _ in range(NODES)]
    facts: dict[str, Any] = {"server": {"kind": "mariadb", "port": ports[0], "password": password}, "ports": ports}
    first = node("first", folder, folder / "first.data", ports[0], password, settings)
    with ExitStack() as undo:
        place = folder
        if own_disk:
            made = undo.enter_context(disk(folder / "power", 1024))
            for each in (made.image.parent, made.path):
                each.chmod(0o711)
            place, facts["disk"] = made.path, {"image": str(made.image), "path": str(made.path)}
        undo.callback(first.stop)
        first.start(MariaDB.model_validate({"port": ports[0], "password": password}).reach)
        first.finish()
        for number in range(NODES):
            name, data = f"node{number}", place / f"node{number}.data"
            shutil.copytree(folder / "first.data", data)
            (folder / f"{name}.run").mkdir()
            # As root the state transfer's rsync would drop to an account that may not write here.
            account = unprivileged()
            for path in (data, *data.rglob("*"), folder / f"{name}.run"):
                account.own(path)
            become = [] if account.uid is None else [
                "setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"
            ]  # fmt: skip
            command = server_command(data, folder / f"{name}.run", ports[number], settings)
            command = [each for each in command if not each.startswith("--user=")]
            server = Server(name, [*become, *command, *_wsrep(name, group, number, settings)], folder)
            undo.callback(server.stop)
            target = MariaDB.model_validate({"port": ports[number], "password": password})
            server.start(partial(_joined, target, number + 1))
            facts[f"process{number}"] = _process(server, folder / "leases", data, first=number == 0)
        if own_disk:
            sh("sync", "-f", str(place))
        yield facts


def _process(server: Server, state_dir: Path, data: Path, *, first: bool) -> dict[str, Any]:
    """A target for one node. After a crash of all of them somebody has to say from which one it may begin anew."""
    said = server.process(state_dir)
    if not first:
        return {name: value for name, value in said.items() if name != "restart"}
    allow = f"sed -i 's/safe_to_bootstrap: 0/safe_to_bootstrap: 1/' {shlex.quote(f'{data}/grastate.dat')}\n"
    return {**said, "restart": allow + said["restart"]}


def _wsrep(name: str, group: list[int], number: int, settings: str) -> list[str]:
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
        "wsrep-sst-method": "rsync",
        "wsrep-sst-receive-address": f"127.0.0.1:{free_port()}",
        "wsrep-node-address": "127.0.0.1",
        "wsrep-provider-options": ";".join(f"{key}={value}" for key, value in provider.items()),
        "binlog-format": "ROW",
        "innodb-autoinc-lock-mode": "2",
        "innodb-flush-log-at-trx-commit": "0",
    }
    return [f"--{key}={value}" for key, value in options.items() if f"{key}=" not in settings]


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
