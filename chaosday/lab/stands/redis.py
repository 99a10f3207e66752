"""A Redis server, if asked for with a replica, or on a disk of its own whose power can be cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chaosday.errors import TargetUnreachable
from chaosday.mechanisms.disks.disk import disk
from chaosday.mechanisms.proxy.client import ProxyProcess
from chaosday.model.target import Route
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server, program
from chaosday.targets.redis import Redis

NAME = "mymaster"


@contextmanager
def stand(
    folder: Path, *, settings: str = "", own_disk: bool = False, replica: bool = False, sentinels: int = 0
) -> Iterator[dict[str, Any]]:
    """Facts: ``server``, ``process``; with ``own_disk`` ``disk``; with ``replica`` ``replica``, ``control``,
    ``upstream`` and ``through``, the port by which the replica sees the primary; with ``sentinels`` ``sentinels``,
    their addresses, who see it by that port too. ``settings`` are lines of redis.conf, separated by semicolons."""
    with ExitStack() as undo:
        folder.mkdir(parents=True, exist_ok=True)
        facts: dict[str, Any] = {}
        place = folder / "primary"
        if own_disk:
            made = undo.enter_context(disk(folder / "power"))
            place = made.path / "primary"
            facts["disk"] = {"image": str(made.image), "path": str(made.path)}
        port = free_port()
        server = _server("redis", folder, place, port, settings)
        undo.callback(server.stop)
        server.start(Redis(port=port).reach)
        facts |= {"server": {"kind": "redis", "port": port}, "process": server.process(folder / "leases")}
        if replica:
            facts |= _with_replica(undo, folder, port, settings)
        if sentinels:
            facts["sentinels"] = _watched_by(undo, folder, facts["through"], sentinels)
        yield facts


def _watched_by(undo: ExitStack, folder: Path, port: int, count: int) -> list[str]:
    """Sentinels that know each other and a replica, and need a majority to act.

    They watch the primary where the replica has it from: one that replicates from another address is told to change.
    """
    ports = [free_port() for _ in range(count)]
    for number, own in enumerate(ports):
        lines = [
            f"port {own}", "bind 127.0.0.1", f"dir {folder}", "daemonize no", "protected-mode no",
            f"sentinel monitor {NAME} 127.0.0.1 {port} {count // 2 + 1}",
            f"sentinel down-after-milliseconds {NAME} 500", f"sentinel failover-timeout {NAME} 4000",
        ]  # fmt: skip
        configuration = folder / f"sentinel{number}.conf"
        configuration.write_text("\n".join(lines) + "\n")
        words = [program("redis-server", "redis-server"), str(configuration), "--sentinel"]
        server = Server(f"sentinel{number}", words, folder)
        undo.callback(server.stop)

        def ready(own: int = own) -> None:
            client = Redis(port=own).connect(5)
            (said,) = client.sentinel_masters().values()
            client.close()
            if (said["num-slaves"], said["num-other-sentinels"]) != (1, count - 1):
                raise TargetUnreachable(f"a Sentinel knows only {said['num-other-sentinels']} others")

        server.start(ready if number == count - 1 else lambda: None)
    return [f"127.0.0.1:{each}" for each in ports]


def _with_replica(undo: ExitStack, folder: Path, port: int, settings: str) -> dict[str, Any]:
    """A replica that is fed through a proxy."""
    from chaosday.targets.proxy_route import ProxyRoute

    proxy = ProxyProcess.start(folder / "proxy.json")
    undo.callback(proxy.close)
    upstream = f"127.0.0.1:{port}"
    link = ProxyRoute(route="replication", upstream=upstream, control=str(proxy.state_file))
    host, through = link.capability(Route).address()
    other = free_port()
    server = _server("replica", folder, folder / "replica", other, f"{settings};replicaof {host} {through}")
    undo.callback(server.stop)
    target = Redis(port=other)

    def linked() -> None:
        client = target.connect(5)
        said = client.info("replication")
        client.close()
        if said.get("master_link_status") != "up":
            raise TargetUnreachable("the replica is not linked to its primary yet")

    server.start(linked)
    facts = {"replica": {"kind": "redis", "port": other}, "control": str(proxy.state_file), "upstream": upstream}
    return {**facts, "through": through}


def _server(name: str, folder: Path, place: Path, port: int, settings: str) -> Server:
    place.mkdir(parents=True)
    lines = [
        f"port {port}", "bind 127.0.0.1", f"dir {place}", "daemonize no", "protected-mode no",
        "repl-diskless-sync-delay 0", "repl-timeout 60",
        *(each.strip() for each in settings.split(";") if each.strip()),
    ]  # fmt: skip
    configuration = folder / f"{name}.conf"
    configuration.write_text("\n".join(lines) + "\n")
    return Server(name, [program("redis-server", "redis-server"), str(configuration)], folder)
