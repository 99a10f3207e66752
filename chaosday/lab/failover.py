"""The demo's system: a PostgreSQL pair, a fault proxy in between, and the experiment on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from chaosday.lab.replication import until_streaming
from chaosday.lab.scenarios import Scenario, changed
from chaosday.mechanisms.proxy.client import ProxyProcess
from chaosday.model.experiment import Experiment, parse
from chaosday.model.target import Postgres, Route
from chaosday.servers import postgres
from chaosday.servers.postgres import Node

Arm = Literal["asynchronous", "synchronous"]
ARMS: tuple[Arm, ...] = ("asynchronous", "synchronous")


@dataclass(frozen=True)
class FailoverLab:
    """What is running while the block lasts, and the experiment on it."""

    primary: Node
    standby: Node
    proxy: ProxyProcess
    experiment: Experiment


@contextmanager
def failover_lab(
    arm: Arm, directory: Path, *, seed: int = 1, scenario: Scenario | None = None
) -> Iterator[FailoverLab]:
    """Start the pair behind the proxy, and take all of it away again afterwards.

    ``directory`` takes the proxy's state and, where the servers' account may enter it, their data. The experiment
    is the demo's failover, or what a ``scenario`` makes of it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as undo:
        folder = undo.enter_context(postgres.scratch(directory / "lab"))
        primary = postgres.primary(folder)
        undo.callback(primary.stop)
        proxy = ProxyProcess.start(directory / "proxy.json")
        undo.callback(proxy.close)
        data = _experiment(arm, seed, primary, proxy)
        # The standby's port is not known before it was made, and it is made through the link.
        link = parse(data).targets["replication"].capability(Route).address()
        standby = postgres.standby(primary, folder, upstream_port=link[1])
        undo.callback(standby.stop)
        data["targets"]["standby"] |= standby.target()
        data["actions"][0]["new_port"] = standby.port
        experiment = parse(changed(data, scenario, primary) if scenario else data)
        _ready(experiment, arm, standby)
        yield FailoverLab(primary, standby, proxy, experiment)


def _ready(experiment: Experiment, arm: Arm, standby: Node) -> None:
    """Set the arm's kind of replication and wait until it is really streaming."""
    primary = experiment.targets["primary"]
    with primary.capability(Postgres).connect() as connection:
        connection.execute("create extension amcheck")
    until_streaming(primary, [standby], standby.name if arm == "synchronous" else "")


def _experiment(arm: Arm, seed: int, primary: Node, proxy: ProxyProcess) -> dict[str, Any]:
    upstream, control = f"127.0.0.1:{primary.port}", str(proxy.state_file)
    return {
        "title": f"Failover with {arm} replication",
        "hypothesis": "Every acknowledged write survives the loss of the primary while its standby is cut off.",
        "seed": seed,
        "targets": {
            "primary": primary.target(),
            "standby": {"kind": "postgresql", "port": 1},
            "service": {"kind": "postgresql", "password": primary.password, "via": "front"},
            "front": {"kind": "proxy_route", "route": "front", "upstream": upstream, "control": control},
            "replication": {"kind": "proxy_route", "route": "replication", "upstream": upstream, "control": control},
            "primary_process": primary.process(proxy.state_file.parent / "leases"),
        },
        "workloads": [
            {"kind": "ledger", "target": "service", "clients": 4, "replicas": ["primary"]},
            {"kind": "bank", "target": "service", "clients": 1},
        ],
        "steady_state": [
            {"kind": "postgresql.write", "target": "service"},
            {"kind": "postgresql.replicating", "target": "service"},
        ],
        "baseline_s": 1.5,
        "baseline_at_most_s": 120,
        "faults": [
            {"at_s": 0, "fault": {"kind": "network.proxy.blackhole", "target": "replication", "ttl_s": 20}},
            {"at_s": 1.5, "fault": {"kind": "process.kill", "target": "primary_process", "ttl_s": 20}},
        ],
        "fault_window_s": 0.5,
        "actions": [{"kind": "postgresql.promote", "target": "standby", "route": "front"}],
        "repairs": [{"kind": "postgresql.rejoin", "target": "primary", "source": "standby"}],
        "settle": {"probe": {"kind": "postgresql.write", "target": "service"}},
        "after_s": 1.0,
        "evidence": [
            {"kind": "postgresql.amcheck", "target": "standby"},
            {"kind": "postgresql.checksums", "target": "standby"},
        ],
        "checks": [
            {"kind": "ledger"},
            {"kind": "bank"},
            {"kind": "replica_rows", "store": "survivor", "replica": "survivor.primary"},
            {"kind": "amcheck"},
            {"kind": "pg_checksums"},
            {"kind": "expectations"},
        ],
        "blast_radius": {"max_targets": 2},
        "loss_rate_to_see": 0.005,
        # A few seconds are enough; a laptop that is busy with something else may take its time.
        "sight_budget_s": 120,
    }
