"""A PostgreSQL primary and its streaming standby, a fault proxy before and between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

from chaosday.lab.replication import until_streaming
from chaosday.mechanisms.proxy.client import ProxyProcess
from chaosday.model.target import Route, Target
from chaosday.registry import member
from chaosday.servers import postgres
from chaosday.targets.proxy_route import ProxyRoute


@contextmanager
def stand(
    folder: Path, *, synchronous: bool = False, standbys: int = 1, synchronous_standby_names: str = ""
) -> Iterator[dict[str, Any]]:
    """Facts: ``primary``, ``standby`` and, of two, ``standby2`` (targets), ``control``, ``upstream``, ``process``.

    ``replay`` is the process of ``standby`` that applies what was received.
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
        database = cast(Target, member("targets", "postgresql").model_validate(primary.target()))
        until_streaming(database, [*nodes.values()], synchronous_standby_names or ("standby" if synchronous else ""))
        yield {
            "primary": primary.target(),
            "upstream": upstream,
            **{name: node.target() for name, node in nodes.items()},
            "control": str(proxy.state_file),
            "process": primary.process(folder / "leases"),
            "replay": nodes["standby"].replay(folder / "leases"),
        }
