"""Victims for the faults of containers: a container of podman, looked at from outside it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from chaosday import registry
from chaosday.model.fault import Fault
from chaosday.targets.local_host import LocalHost
from tests.conformance.benches import Bench
from tests.lab import containers


@contextlib.contextmanager
def _container(kind: str, fields: dict[str, Any], directory: Path) -> Iterator[Bench]:
    with containers.container() as victim, containers.container() as bystander:
        fault = registry.member("faults", kind).model_validate(
            {"kind": kind, "target": "victim", "ttl_s": 3.0, "name": victim, **fields}
        )
        assert isinstance(fault, Fault)
        yield Bench(
            fault,
            LocalHost(state_dir=str(directory / "state" / "leases")),
            hurt=lambda: not _ticks(victim),
            foreign=lambda: (containers.state_of(bystander), _ticks(bystander)),
        )


def _ticks(name: str) -> bool:
    """Whether the program in the container does its work: its file changes, or comes to be, within ten seconds."""
    if containers.state_of(name) != "running":
        return False
    file = containers.files_of(name) / "tick"
    first = file.read_text() if file.exists() else ""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if file.exists() and file.read_text() not in (first, ""):
            return True
        time.sleep(0.02)
    return False


def _bench(kind: str, **fields: Any) -> Callable[[Path], contextlib.AbstractContextManager[Bench]]:
    return lambda directory: _container(kind, fields, directory)


CONTAINER_BENCHES = {
    "container.kill": _bench("container.kill"),
    "container.stop": _bench("container.stop", grace_s=0),
    "container.pause": _bench("container.pause"),
}
