"""Small experiments on the lab's PostgreSQL pair, each one change to the demo's: what is hurt, and what has to hold."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any, Literal, get_args

from chaosday.servers.postgres import Node

Scenario = Literal["replica lag", "slow dependency", "connections reset", "database killed mid-load"]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
TTL_S = 20


def changed(data: dict[str, Any], scenario: Scenario, primary: Node) -> dict[str, Any]:
    """The demo's experiment as plain data, without its failover, and with what the scenario hurts instead."""
    data = {**data, "title": scenario.capitalize(), "actions": [], "repairs": [], "fault_window_s": 3}
    data["workloads"] = [{**data["workloads"][0], "replicas": ["standby"]}, *data["workloads"][1:]]
    data["evidence"] = [{**each, "target": "primary"} for each in data["evidence"]]
    data["checks"] = [
        {**each, "replica": "survivor.standby"} if each["kind"] == "replica_rows" else each for each in data["checks"]
    ]
    # Without a failover the standby's rows are compared once it has caught up again.
    data["settle"] = {"probe": {"kind": "postgresql.replicating", "target": "service"}, "timeout_s": 60}
    return HURTING[scenario](data, primary)


def _replica_lag(data: dict[str, Any], primary: Node) -> dict[str, Any]:
    words = "A standby that falls behind serves old rows, and has every acknowledged one again once it has caught up."
    fault = {"kind": "network.proxy.partition", "target": "replication", "ttl_s": TTL_S}
    return {**data, "hypothesis": words, "faults": [{"at_s": 0, "fault": fault}]}


def _slow_dependency(data: dict[str, Any], primary: Node) -> dict[str, Any]:
    words = "Clients of a database that has become slow wait, and nothing that they were told was written is missing."
    fault = {"kind": "network.proxy.latency", "target": "front", "delay_ms": 40, "jitter_ms": 20, "ttl_s": TTL_S}
    return {**data, "hypothesis": words, "faults": [{"at_s": 0, "fault": fault}]}


def _connections_reset(data: dict[str, Any], primary: Node) -> dict[str, Any]:
    words = "A write whose connection broke is either there or not, once, and its client knows that it does not know."
    fault = {"kind": "network.proxy.reset", "target": "front", "ttl_s": TTL_S}
    return {**data, "hypothesis": words, "faults": [{"at_s": 0, "fault": fault}]}


def _killed(data: dict[str, Any], primary: Node) -> dict[str, Any]:
    words = "A database that is killed in the middle of a load has every acknowledged write after its recovery."
    fault = {"kind": "process.kill", "target": "primary_process", "ttl_s": TTL_S}
    process = {**data["targets"]["primary_process"], "restart": restart_script(primary)}
    return {
        **data,
        "hypothesis": words,
        "targets": {**data["targets"], "primary_process": process},
        "faults": [{"at_s": 0, "fault": fault}],
        "fault_window_s": 1,
    }


HURTING: dict[Scenario, Callable[[dict[str, Any], Node], dict[str, Any]]] = {
    "replica lag": _replica_lag,
    "slow dependency": _slow_dependency,
    "connections reset": _connections_reset,
    "database killed mid-load": _killed,
}


def restart_script(node: Node) -> str:
    """POSIX ``sh`` that starts a node again under its own account, and does nothing where it runs."""
    uid, gid = node.account.uid, node.account.gid
    become = f"setpriv --reuid {uid} --regid {gid} --clear-groups " if uid is not None else ""
    tool, data, log = (shlex.quote(str(each)) for each in (node.bin / "pg_ctl", node.data, node.log))
    # Not "pg_ctl status": a killed server that nobody has waited for yet is a zombie, and it takes that for running.
    # The number that it left behind is removed, as a reboot would; somebody else may have it by now.
    return (
        f"cd / && pid=$(head -n 1 {data}/postmaster.pid 2>/dev/null)\n"
        'state=; [ -z "$pid" ] || state=$(ps -o stat= -p "$pid")\n'
        f"case $state in '' | Z*) rm -f {data}/postmaster.pid\n"
        f"    {become}{tool} -w -t 60 -D {data} -l {log} start >/dev/null ;;\nesac\n"
    )
