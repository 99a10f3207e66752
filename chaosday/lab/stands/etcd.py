"""Three members of etcd, each of which the others reach through a proxy of its own."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chaosday.errors import TargetUnreachable
from chaosday.lab.ports import free_port
from chaosday.lab.server import Server, program
from chaosday.model.target import Route
from chaosday.proxy.client import ProxyProcess
from chaosday.targets.etcd import Etcd
from chaosday.targets.proxy_route import ProxyRoute

MEMBERS = ("a", "b", "c")


@contextmanager
def stand(folder: Path) -> Iterator[dict[str, Any]]:
    """Facts: ``a``, ``b``, ``c`` (targets), ``control``, ``peer_a`` and so on: where each one's peers are led to."""
    binary = program("etcd", "etcd-server")
    with ExitStack() as undo:
        folder.mkdir(parents=True, exist_ok=True)
        proxy = ProxyProcess.start(folder / "proxy.json")
        undo.callback(proxy.close)
        clients, peers = ({name: free_port() for name in MEMBERS} for _ in range(2))
        doors = {}
        for name in MEMBERS:
            upstream = f"127.0.0.1:{peers[name]}"
            route = ProxyRoute(route=f"peer_{name}", upstream=upstream, control=str(proxy.state_file))
            doors[name] = route.capability(Route).address()[1]
        cluster = ",".join(f"{name}=http://127.0.0.1:{doors[name]}" for name in MEMBERS)
        for name in MEMBERS:
            command = [
                binary, f"--name={name}", f"--data-dir={folder / name}", f"--initial-cluster={cluster}",
                f"--initial-advertise-peer-urls=http://127.0.0.1:{doors[name]}",
                f"--listen-peer-urls=http://127.0.0.1:{peers[name]}",
                f"--listen-client-urls=http://127.0.0.1:{clients[name]}",
                f"--advertise-client-urls=http://127.0.0.1:{clients[name]}", "--log-level=error",
            ]  # fmt: skip
            server = Server(f"etcd-{name}", command, folder, {"ETCD_UNSUPPORTED_ARCH": ""})
            undo.callback(server.stop)
            # None of them is healthy before a second one runs.
            server.start(lambda: None)
        for name in MEMBERS:
            _until_healthy(Etcd(port=clients[name]))
        _let_a_lead(clients)
        facts: dict[str, Any] = {name: {"kind": "etcd", "port": clients[name]} for name in MEMBERS}
        facts |= {f"peer_{name}": f"127.0.0.1:{peers[name]}" for name in MEMBERS}
        yield {**facts, "control": str(proxy.state_file)}


def _let_a_lead(clients: dict[str, int]) -> None:
    """So that the same member is behind in every run; the first one leads, whoever was elected."""
    said = {name: _call(port, "status", {}) for name, port in clients.items()}
    leader = next(name for name, each in said.items() if each["header"]["member_id"] == each["leader"])
    if leader != "a":
        _call(clients[leader], "transfer-leadership", {"targetID": said["a"]["header"]["member_id"]})


def _call(port: int, verb: str, body: dict[str, Any]) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", f"/v3/maintenance/{verb}", json.dumps(body))
        said: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return said


def _until_healthy(member: Etcd) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            member.reach()
        except TargetUnreachable:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return
