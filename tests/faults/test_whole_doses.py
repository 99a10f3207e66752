"""A fault takes every way, keeps its dose, and is found under another name."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaosday.mechanisms.packets.flow import Flow
from chaosday.mechanisms.packets.shaper import _u32
from chaosday.model.fault import Bite, FaultPlan
from chaosday.model.target import Shell
from chaosday.processes import mark
from chaosday.record.journal import Journal
from chaosday.registry import member
from chaosday.running.lifecycle import Lifecycle
from chaosday.targets.ssh_host import SshHost
from chaosday.undo.recovery import recover
from tests.lab.hosts import LabHost
from tests.lab.pool import pool

FAR = "198.18.0.242"
PING = "ping -n -q -f -l 40 -w 1 -s 1400"


@pytest.fixture
def life(target: SshHost, tmp_path: Path) -> Iterator[Lifecycle]:
    journal = Journal.create(tmp_path / "run" / "journal.jsonl", "run-1")
    yield Lifecycle("run-1", journal, {"victim": target})
    journal.close()


@pytest.fixture
def second_nic(host: LabHost) -> Iterator[subprocess.Popen[str]]:
    """A peer that is reached by another interface than all others."""
    far = host.spawn("exec unshare --net sh -c 'echo $$ > /run/far; exec sleep 600'")
    host.run(
        "until [ -s /run/far ]; do sleep 0.05; done; p=$(cat /run/far)\n"
        "ip link add nic2 type veth peer name far2 && ip link set far2 netns $p\n"
        f"nsenter -t $p -n sh -c 'ip addr add {FAR}/30 dev far2; ip link set far2 up'\n"
        "ip addr add 198.18.0.241/30 dev nic2; ip link set nic2 up\n"
        f"for n in $(seq 50); do ping -n -q -c 1 -W 1 {FAR} >/dev/null && break; done"
    )
    yield far
    host.run("kill $(cat /run/far); rm /run/far; ip link del nic2 2>/dev/null || ip link del nic9", check=False)
    far.wait()
    if far.stdout:
        far.stdout.close()


def _struck(life: Lifecycle, kind: str, **fields: Any) -> tuple[FaultPlan, Bite]:
    plan = life.plan(member("faults", kind).model_validate({"target": "victim", "ttl_s": 60, **fields}))
    life.arm(plan)
    life.inject(plan)
    return plan, life.attest(plan)


def _slow(host: LabHost, address: str) -> bool:
    return bool(
        host.run(f"{PING} {address} | awk '/received/ {{ exit !($4 < 600) }}' && echo yes", check=False).strip()
    )


@pytest.mark.lab
def test_every_way_is_hurt_and_found_by_its_index(
    host: LabHost, life: Lifecycle, second_nic: subprocess.Popen[str], tmp_path: Path
) -> None:
    """Peers behind two interfaces are both hurt; one that was renamed meanwhile is undone and clean all the same, and
    recovery finds nothing to do."""
    near = pool().peer.address
    _, bite = _struck(life, "network.bandwidth", peers=[near, FAR], rate_mbit=2)
    assert bite.bit, bite.why
    assert _slow(host, near)
    assert _slow(host, FAR)
    host.run("ip link set nic2 down; ip link set nic2 name nic9; ip link set nic9 up")
    (clean,) = life.heal_all()
    assert clean.clean, clean.words
    assert not _slow(host, near)
    assert not _slow(host, FAR)
    assert "htb" not in host.run("tc qdisc show dev nic9")
    assert all(entry.ok for entry in recover([tmp_path / "run" / "journal.jsonl"], {}))


@pytest.mark.lab
def test_a_way_that_was_made_since_the_plan_is_refused(
    host: LabHost, life: Lifecycle, second_nic: subprocess.Popen[str]
) -> None:
    """What leads to the peers is asked again at the injection: a way that the plan does not know would stay open."""
    near = pool().peer.address
    fault = member("faults", "network.blackhole").model_validate({"target": "victim", "peers": [near], "ttl_s": 60})
    plan = life.plan(fault)
    life.arm(plan)
    host.run(f"ip route add {near}/32 dev nic2")
    with pytest.raises(Exception, match="nic2 leads to the peers as well"):
        life.inject(plan)
    host.run(f"ip route del {near}/32 dev nic2")
    assert [clean.clean for clean in life.heal_all()] == [True]


@pytest.mark.lab
def test_a_round_trip_to_oneself_gets_the_dose_once(life: Lifecycle) -> None:
    """On lo request and answer both pass the queue; together they are late by what was asked, not by twice that."""
    _, bite = _struck(life, "network.latency", peers=["127.0.0.1"], delay_ms=200)
    assert bite.bit, bite.why
    assert bite.during.least is not None
    assert bite.during.least < 300
    assert [clean.clean for clean in life.heal_all()] == [True]


@pytest.mark.lab
def test_what_a_quota_holds_back_keeps_no_processor_busy(host: LabHost, target: SshHost, life: Lifecycle) -> None:
    """A busy loop that may use a hundredth of a processor is not taken for a whole one, however long it waits."""
    plan, bite = _struck(life, "host.cpu")
    assert bite.bit, bite.why
    pids = target.capability(Shell).run(mark.find(plan.lease.id), sudo=True).out.split()
    tight = "/sys/fs/cgroup/cpu/tight"
    moved = "".join(f"echo {pid} > {tight}/cgroup.procs\n" for pid in pids)
    host.run(f"mkdir {tight}; echo 1000 > {tight}/cpu.cfs_quota_us\n{moved}")
    look = life.look(plan)
    assert look is not None
    assert not look.bit, look.why
    assert "quota" in look.why
    assert [clean.clean for clean in life.heal_all()] == [True]
    host.run(f"rmdir {tight}", check=False)


@pytest.mark.kernel
def test_everybody_is_of_both_families() -> None:
    """A filter for all peers takes IPv6 as well: half of the world at full speed would be no fault."""
    matches = _u32(Flow())
    assert any("ip dst 0.0.0.0/0" in match for match in matches)
    assert any("ip6 dst ::/0" in match for match in matches)
