"""A RabbitMQ broker, with a port mapper of its own, so that nothing of Erlang's stays behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from chaosday.errors import CapabilityMissing
from chaosday.lab.ports import free_port
from chaosday.lab.server import Server, program
from chaosday.proxy.client import ProxyProcess
from chaosday.targets.rabbitmq import RabbitMQ

BROKER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


@contextmanager
def stand(folder: Path) -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (a target), ``process``, ``control``, ``upstream``."""
    if not BROKER.exists():
        raise CapabilityMissing(f"{BROKER} is not installed: apt-get install rabbitmq-server")
    with ExitStack() as undo:
        folder.mkdir(parents=True, exist_ok=True)
        port, names = free_port(), free_port()
        mapper = Server("epmd", [program("epmd", "erlang-base"), "-port", str(names), "-address", "127.0.0.1"], folder)
        undo.callback(mapper.stop)
        mapper.start(lambda: None)
        plugins = folder / "enabled_plugins"
        plugins.write_text("[].\n")
        home = folder / "home"
        home.mkdir()
        environment = {
            "HOME": str(home),
            "ERL_EPMD_PORT": str(names),
            "RABBITMQ_NODENAME": f"chaosday{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
        }
        server = Server("rabbitmq", [str(BROKER)], folder, environment)
        undo.callback(server.stop_tree)
        server.start(RabbitMQ(port=port).reach, timeout_s=60)
        proxy = ProxyProcess.start(folder / "proxy.json")
        undo.callback(proxy.close)
        yield {
            "upstream": f"127.0.0.1:{port}",
            "control": str(proxy.state_file),
            "server": {"kind": "rabbitmq", "port": port},
            "process": server.process(folder / "leases") | {"tree": True},
        }
