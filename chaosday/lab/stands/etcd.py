"""Three members of etcd, each of which the others reach through a proxy of its own, or the third over a network."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaosday.errors import TargetUnreachable
from chaosday.lab.apart import apart
from chaosday.mechanisms.proxy.client import ProxyProcess
from chaosday.model.target import Route
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server, program
from chaosday.targets.etcd import Etcd
from chaosday.targets.proxy_route import ProxyRoute

MEMBERS = ("a", "b", "c")


@dataclass
class Member:
    """Where it takes clients and peers, where the others think that it takes peers, and how it is started."""

    name: str
    host: str
    client: int
    listens: str
    door: str
    start: list[str]

    def target(self) -> dict[str, Any]:
        """It, as clients see it."""
        return {"kind": "etcd", "host": self.host, "port": self.client}

    def command(self, data: Path, cluster: str) -> list[str]:
        """The server."""
        client = f"http://{self.host}:{self.client}"
        return [
            *self.start, f"--name={self.name}", f"--data-dir={data}", f"--initial-cluster={cluster}",
            f"--initial-advertise-peer-urls=http://{self.door}", f"--listen-peer-urls=http://{self.listens}",
            f"--listen-client-urls={client}", f"--advertise-client-urls={client}", "--log-level=error",
        ]  # fmt: skip


@contextmanager
def stand(folder: Path, *, network: bool = False) -> Iterator[dict[str, Any]]:
    """Facts: ``a``, ``b``, ``c`` (targets), ``control``, ``peer_a`` and so on: where each one's peers are led to.

    With ``network`` ``c`` is in a namespace of its own, and the facts are ``host`` (this machine), ``there`` (its
    address) and ``peer_ports`` of all; there is no proxy.
    """
    binary = program("etcd", "etcd-server")
    with ExitStack() as undo:
        folder.mkdir(parents=True, exist_ok=True)
        made, facts = _over_a_network(undo, binary, folder) if network else _through_proxies(undo, binary, folder)
        cluster = ",".join(f"{each.name}=http://{each.door}" for each in made)
        for each in made:
            command = each.command(folder / each.name, cluster)
            server = Server(f"etcd-{each.name}", command, folder, {"ETCD_UNSUPPORTED_ARCH": ""})
            undo.callback(server.stop)
            # None of them is healthy before a second one runs.
            server.start(lambda: None)
        for each in made:
            _until_healthy(Etcd(host=each.host, port=each.client))
        _let_a_lead(made)
        yield {**facts, **{each.name: each.target() for each in made}}


def _through_proxies(undo: ExitStack, binary: str, folder: Path) -> tuple[list[Member], dict[str, Any]]:
    proxy = ProxyProcess.start(folder / "proxy.json")
    undo.callback(proxy.close)
    made, facts = [], {"control": str(proxy.state_file)}
    for name in MEMBERS:
        peer = free_port()
        upstream = f"127.0.0.1:{peer}"
        route = ProxyRoute(route=f"peer_{name}", upstream=upstream, control=str(proxy.state_file))
        door = f"127.0.0.1:{route.capability(Route).address()[1]}"
        made.append(Member(name, "127.0.0.1", free_port(), upstream, door, [binary]))
        facts[f"peer_{name}"] = upstream
    return made, facts


def _over_a_network(undo: ExitStack, binary: str, folder: Path) -> tuple[list[Member], dict[str, Any]]:
    link = undo.enter_context(apart())
    made, ports = [], []
    for name in MEMBERS:
        there = name == "c"
        ports.append(free_port())
        door = f"{link.there if there else link.here}:{ports[-1]}"
        start = link.command(binary) if there else [binary]
        made.append(Member(name, link.there if there else "127.0.0.1", free_port(), door, door, start))
    machine = {"kind": "local_host", "state_dir": str(folder / "leases")}
    return made, {"host": machine, "there": link.there, "peer_ports": [*reversed(ports)]}


def _let_a_lead(made: list[Member]) -> None:
    """So that the same member is behind in every run; the first one leads, whoever was elected."""
    said = {each.name: _call(each, "status", {}) for each in made}
    leader = next(each for each in made if said[each.name]["header"]["member_id"] == said[each.name]["leader"])
    if leader.name != "a":
        _call(leader, "transfer-leadership", {"targetID": said["a"]["header"]["member_id"]})


def _call(member: Member, verb: str, body: dict[str, Any]) -> dict[str, Any]:
    connection = http.client.HTTPConnection(member.host, member.client, timeout=10)
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
