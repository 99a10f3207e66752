"""What faults on hosts refuse, spare and survive, on hosts of the lab."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from chaosday.clock import SystemClock
from chaosday.errors import (
    CapabilityMissing,
    ChaosdayError,
    ForeignState,
    LeaseError,
    Refused,
    ScratchMarkMissing,
    UsageError,
)
from chaosday.mechanisms.hosts.guarded import guarded
from chaosday.model.fault import Fault, FaultPlan, PlanContext
from chaosday.model.lease import Lease, LeaseHolder, Undo
from chaosday.model.target import Shell
from chaosday.registry import member
from chaosday.targets.ssh_host import SshHost
from tests.lab.hosts import LabHost
from tests.lab.pool import pool

pytestmark = pytest.mark.lab
US = "198.18.0.0/24"
UNTOUCHED = "tc qdisc show | sed 's/direct_packets_stat [0-9]*//'; nft list tables; cat /proc/self/mounts"


def _fault(kind: str, **fields: Any) -> Fault:
    made = member("faults", kind).model_validate({"target": "victim", **fields})
    assert isinstance(made, Fault)
    return made


def _plan(fault: Fault, target: SshHost, lease_id: str = "cd-refusal") -> FaultPlan:
    return fault.plan(target, PlanContext(run="r", lease_id=lease_id, seed=1, clock=SystemClock()))


@pytest.mark.parametrize(
    ("kind", "fields", "error", "words"),
    [
        ("network.partition", {}, UsageError, "set probe"),
        ("network.partition", {"peers": ["db"]}, UsageError, "not an address"),
        ("network.blackhole", {"peers": [], "probe": "@PEER"}, UsageError, "ports or peers"),
        ("network.latency", {"peers": ["@PEER"], "device": "eth7"}, UsageError, "no interface"),
        ("network.dns", {"name": "no-such.invalid"}, UsageError, "does not resolve"),
        ("host.cpu", {"cores": 1000}, UsageError, "the target has"),
        ("host.memory", {"size_mb": 10_000_000}, Refused, "reserve"),
        ("host.disk_fill", {"path": "/srv/data", "size_mb": 48}, Refused, "reserve_mb"),
        ("host.disk_fill", {"path": "/no/such"}, CapabilityMissing, "stat"),
        ("host.io", {"path": "/tmp"}, CapabilityMissing, "block device"),
        ("host.cgroup_limit", {"pattern": "no-such-process"}, UsageError, "no process matches"),
        ("host.service", {"name": "nothing"}, CapabilityMissing, "neither systemd"),
        ("host.clock_skew", {}, CapabilityMissing, "CAP_SYS_TIME"),
        ("host.reboot", {}, CapabilityMissing, "CAP_SYS_BOOT"),
        ("process.syscall", {"pattern": "worker.py", "calls": ["a b"]}, UsageError, "names like"),
        ("storage.errno", {"path": "/no/such"}, UsageError, "not a directory"),
        ("storage.torn_write", {"path": "/srv/work"}, ScratchMarkMissing, "touch /srv/work/.chaosday-scratch"),
    ],
)
def test_what_cannot_or_must_not_be_is_said_in_the_plan(
    host: LabHost, target: SshHost, kind: str, fields: dict[str, Any], error: type[ChaosdayError], words: str
) -> None:
    """Found before anything is touched, in one line that says what to do."""
    peer = pool().peer.address
    fields = {
        k: v.replace("@PEER", peer) if isinstance(v, str) else [peer] if v == ["@PEER"] else v
        for k, v in fields.items()
    }
    before = host.run("nft list ruleset; tc qdisc show; cat /proc/self/mounts; ls -A /srv/data /run")
    with pytest.raises(error, match=words) as refused:
        _plan(_fault(kind, **fields), target)
    assert "\n" not in str(refused.value)
    assert host.run("nft list ruleset; tc qdisc show; cat /proc/self/mounts; ls -A /srv/data /run") == before


@pytest.mark.parametrize(
    ("tool", "package", "kind", "fields"),
    [
        ("/usr/sbin/nft", "nftables", "network.partition", {"peers": ["198.18.0.254"]}),
        ("/usr/bin/strace", "strace", "process.syscall", {"pattern": "worker.py"}),
        ("/usr/bin/prlimit", "util-linux", "host.file_descriptors", {"pattern": "worker.py"}),
        ("/usr/bin/ping", "iputils-ping", "network.latency", {"peers": ["198.18.0.254"]}),
    ],
)
def test_a_missing_tool_is_named_with_its_package(
    host: LabHost, target: SshHost, tool: str, package: str, kind: str, fields: dict[str, Any]
) -> None:
    """The plan says what to install, before anything is touched."""
    host.run(f"mount --bind /dev/null {tool}")
    try:
        with pytest.raises(CapabilityMissing, match=f"apt install .*{package}"):
            _plan(_fault(kind, **fields), target)
    finally:
        host.run(f"umount {tool}")


@pytest.mark.parametrize(
    ("state", "gone", "kind", "fields"),
    [
        (
            "tc qdisc add dev eth0 root tbf rate 900mbit burst 1mb latency 50ms",
            "tc qdisc del dev eth0 root",
            "network.bandwidth",
            {},
        ),
        ("tc qdisc add dev eth0 root handle 9: htb", "tc qdisc del dev eth0 root", "network.bandwidth", {}),
        ("nft add table inet cd-refusal", "nft delete table inet cd-refusal", "network.partition", {}),
        ("mkdir -p /srv/w; mount -t tmpfs -o ro tmpfs /srv/w", "umount /srv/w", "storage.readonly", {"path": "/srv/w"}),
        (
            "setsid strace -f -o /dev/null -p $(pgrep -f '[w]orker.py') >/dev/null 2>&1 & sleep 0.5",
            "kill $(pgrep -x strace); sleep 0.3",
            "process.syscall",
            {"pattern": "worker.py"},
        ),
    ],
)
def test_foreign_state_in_the_way_is_refused(
    host: LabHost, target: SshHost, state: str, gone: str, kind: str, fields: dict[str, Any]
) -> None:
    """Somebody else's queue, table, mount or tracer stands where ours would go: it is left alone."""
    peer = {"peers": [pool().peer.address]} if kind.startswith("network.") else {}
    host.run(state)
    try:
        before = host.run(UNTOUCHED)
        with pytest.raises(ForeignState):
            _plan(_fault(kind, **peer, **fields), target)
        assert host.run(UNTOUCHED) == before
    finally:
        host.run(gone)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("network.partition", {}),
        ("network.blackhole", {"ports": [22], "protocol": "tcp", "direction": "both"}),
        ("network.reset", {"ports": [22, 8000]}),
        ("network.loss", {"percent": 100}),
        ("network.loss", {"percent": 100, "burst_packets": 2}),
        ("network.latency", {"delay_ms": 60_000}),
        ("network.bandwidth", {"rate_mbit": 0.05}),
    ],
)
def test_the_control_connection_is_spared(host: LabHost, target: SshHost, kind: str, fields: dict[str, Any]) -> None:
    """A fault on everybody, us included, at its worst: a new connection of ours still works, and heals."""
    fault = _fault(kind, peers=[US], probe=f"{pool().peer.address}:8000", ttl_s=600, **fields)
    if kind == "network.bandwidth":
        fault = fault.model_copy(update={"probe": pool().peer.address})
    plan = _plan(fault, target, "cd-control")
    target.capability(LeaseHolder).arm(plan.lease)
    fault.inject(target, plan)
    try:
        fresh = pool().target(host, connect_timeout_s=20)
        much = fresh.capability(Shell).run("head -c 1000000 /dev/zero | tr '\\0' x", timeout_s=60)
        assert len(much.out) == 1_000_000
        fresh.capability(LeaseHolder).heal(plan.lease.id)
        fresh.close()
    finally:
        fault.heal(target, plan.lease)
    assert fault.residue(target, plan.lease) == []


def test_an_injection_overtaken_by_its_undo_undoes_itself(host: LabHost, target: SshHost) -> None:
    """The lease fires while the injecting script is still at work: the script itself runs the undo once more."""
    undo = Undo(script="rm -f /srv/mine", residue_script="[ ! -e /srv/mine ] || echo /srv/mine")
    lease = Lease(id="cd-overtaken", run="r", fault="test", target="victim", undo=undo, ttl_s=600)
    holder = target.capability(LeaseHolder)
    holder.arm(lease)
    errors: list[LeaseError] = []

    def inject() -> None:
        try:
            guarded(target, lease, "touch /srv/begun; until [ -e /srv/healed ]; do sleep 0.02; done; touch /srv/mine")
        except LeaseError as error:
            errors.append(error)

    working = threading.Thread(target=inject)
    working.start()
    host.run("until [ -e /srv/begun ]; do sleep 0.02; done")
    holder.heal(lease.id)
    host.run("touch /srv/healed")
    working.join(120)
    assert len(errors) == 1
    assert holder.residue(lease.id, undo) == []
    host.run("rm -f /srv/begun /srv/healed")


def test_a_limit_that_somebody_changed_since_is_left_alone(host: LabHost, target: SshHost) -> None:
    """Heal takes back what we wrote, not what another hand has put there in the meantime."""
    burner = host.spawn("echo $$ > /sys/fs/cgroup/cpu/work/cgroup.procs; exec sleep 601")
    host.run("until pgrep -f '^sleep 601' >/dev/null; do sleep 0.02; done")
    file = "/sys/fs/cgroup/cpu/work/cpu.cfs_quota_us"
    fault = _fault("host.cgroup_limit", pattern="^sleep 601", cpu_percent=20, ttl_s=600)
    plan = _plan(fault, target, "cd-limit")
    target.capability(LeaseHolder).arm(plan.lease)
    fault.inject(target, plan)
    host.run(f"echo 55000 > {file}")
    fault.heal(target, plan.lease)
    assert host.run(f"cat {file}").strip() == "55000"
    host.run(f"echo -1 > {file}; kill $(pgrep -f '^sleep 601')")
    burner.wait()
    assert burner.stdout is not None
    burner.stdout.close()
