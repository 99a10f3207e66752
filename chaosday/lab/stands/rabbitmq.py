"""A RabbitMQ broker or a cluster, with port mappers of its own, so that nothing of Erlang's stays behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.lab.apart import apart
from chaosday.mechanisms.proxy.client import ProxyProcess
from chaosday.servers.ports import free_port
from chaosday.servers.server import Server, program
from chaosday.targets.rabbitmq import RabbitMQ

PROGRAMS = Path("/usr/lib/rabbitmq/bin")
BROKER, CONTROL = PROGRAMS / "rabbitmq-server", PROGRAMS / "rabbitmqctl"
TICK_S, SETUP_S = 4, 2
"""After so long without a word a node takes another one for down (as installed it is a minute), and so long it tries
to reach that one again before it goes on (as installed 7 s)."""
OTHERS = 16
"""Idle connections to the other side. It wins with more of them than the experiment has clients."""


@dataclass
class Node:
    """Where one takes clients and the other nodes, and how it is started."""

    host: str
    start: list[str] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    peer_port: int = field(default_factory=free_port)

    @property
    def name(self) -> str:
        return f"chaosday{self.port}@{self.host}"

    def target(self) -> dict[str, Any]:
        """It, as clients see it."""
        return {"kind": "rabbitmq", "host": self.host, "port": self.port}

    def environment(self, folder: Path, first: Node, handling: str) -> dict[str, str]:
        """Its own settings; what is not the first node joins it when it is started for the first time."""
        configuration = folder / f"node{self.port}.conf"
        configuration.write_text(
            "loopback_users = none\n"
            f"cluster_partition_handling = {handling}\n"
            "cluster_formation.peer_discovery_backend = classic_config\n"
            f"cluster_formation.classic_config.nodes.1 = {first.name}\n"
        )
        interface = self.host.replace(".", ",")
        return {
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_NODE_IP_ADDRESS": self.host,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.peer_port),
            "RABBITMQ_CONFIG_FILE": str(configuration.with_suffix("")),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                f"-kernel inet_dist_use_interface {{{interface}}} "
                f"-kernel net_ticktime {TICK_S} -kernel net_setuptime {SETUP_S}"
            ),
        }


@contextmanager
def stand(
    folder: Path, *, nodes: int = 1, partition_handling: str = "ignore", mirrored: bool = False
) -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (a target), ``process``, ``control``, ``upstream``.

    Of several ``nodes`` it is the one in a namespace of its own, the facts are also ``host`` (this machine), ``there``
    (the namespace's address) and ``peer_ports``, by which the nodes talk to each other; the other side has clients of
    its own, so that it wins after a partition. With ``mirrored`` each node has every classic queue.
    """
    if not BROKER.exists():
        raise CapabilityMissing(f"{BROKER} is not installed: apt-get install rabbitmq-server")
    with ExitStack() as undo:
        folder.mkdir(parents=True, exist_ok=True)
        common = _common(folder)
        facts: dict[str, Any] = {}
        made = [Node("127.0.0.1")]
        if nodes > 1:
            link = undo.enter_context(apart())
            made = [*(Node(link.here) for _ in range(nodes - 1)), Node(link.there, link.command())]
        names = int(common["ERL_EPMD_PORT"])
        for node in {each.host: each for each in made}.values():
            _name_nodes(undo, folder, node, names)
        for node in made:
            environment = common | node.environment(folder, made[0], partition_handling)
            server = Server(f"rabbitmq{node.port}", [*node.start, str(BROKER)], folder, environment)
            undo.callback(server.stop_tree)
            # A node takes clients when it has joined the others, and not before.
            server.start(RabbitMQ(host=node.host, port=node.port).reach)
            facts = {"server": node.target(), "process": server.process(folder / "leases") | {"tree": True}}
        if mirrored:
            _control(common, made[0], "set_policy", "--apply-to", "queues", "mirrored", ".*", '{"ha-mode": "all"}')
        if nodes > 1:
            facts["there"] = made[-1].host
            for _ in range(OTHERS):
                undo.callback(_close, RabbitMQ(host=made[0].host, port=made[0].port).connect(5))
            facts["host"] = {"kind": "local_host", "state_dir": str(folder / "leases")}
            facts["peer_ports"] = [names, *(each.peer_port for each in made)]
        proxy = ProxyProcess.start(folder / "proxy.json")
        undo.callback(proxy.close)
        yield {**facts, "upstream": f"{made[-1].host}:{made[-1].port}", "control": str(proxy.state_file)}


def _close(connection: Any) -> None:
    """Where the node was started anew meanwhile the connection is gone, and closing it is an error."""
    import pika

    with contextlib.suppress(pika.exceptions.AMQPError, OSError):
        connection.close()


def _common(folder: Path) -> dict[str, str]:
    """What all nodes have in common: with their home they share Erlang's cookie."""
    plugins, home = folder / "enabled_plugins", folder / "home"
    plugins.write_text("[].\n")
    home.mkdir()
    return {
        "HOME": str(home),
        "ERL_EPMD_PORT": str(free_port()),
        "RABBITMQ_USE_LONGNAME": "true",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
    }


def _name_nodes(undo: ExitStack, folder: Path, node: Node, port: int) -> None:
    """A port mapper where the node is; it always takes the loopback's address too."""
    words = [program("epmd", "erlang-base"), "-port", str(port), "-address", node.host]
    mapper = Server(f"epmd{node.port}", [*node.start, *words], folder)
    undo.callback(mapper.stop)
    mapper.start(lambda: None)


def _control(common: dict[str, str], node: Node, *words: str) -> None:
    """Tell a node something with RabbitMQ's own tool."""
    done = subprocess.run(
        [str(CONTROL), "-n", node.name, *words],
        env={**os.environ, **common}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode:
        raise TargetUnreachable(f"rabbitmqctl {words[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
