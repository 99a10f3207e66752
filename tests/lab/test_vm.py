"""What only a whole machine can show: netem, a clock of its own, a reboot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaosday.clock import SystemClock
from chaosday.errors import ChaosdayError, ScratchMarkMissing, UsageError
from chaosday.model.fault import Fault, PlanContext
from chaosday.model.target import Shell
from chaosday.record.journal import Journal
from chaosday.registry import member
from chaosday.running.lifecycle import Lifecycle
from chaosday.targets.ssh_host import SshHost
from tests.lab.vm import Vm, need_vm

pytestmark = [pytest.mark.lab, pytest.mark.slow]
GATEWAY = "10.0.2.2"


@pytest.fixture(scope="module")
def target() -> Iterator[SshHost]:
    """The machine over SSH."""
    need_vm()
    with Vm() as vm:
        made = vm.target()
        yield made
        made.close()


@pytest.mark.parametrize(
    ("kind", "fields", "mechanism"),
    [
        ("network.latency", {"peers": [GATEWAY], "delay_ms": 200}, "tc netem"),
        (
            "network.latency",
            {"peers": [GATEWAY], "delay_ms": 200, "jitter_ms": 40, "correlation_percent": 25},
            "tc netem",
        ),
        ("network.duplicate", {"peers": [GATEWAY], "percent": 50}, "tc netem"),
        ("network.reorder", {"peers": [GATEWAY], "percent": 40, "delay_ms": 60}, "tc netem"),
        ("network.corrupt", {"peers": [GATEWAY], "percent": 30, "direction": "out"}, "tc netem"),
        ("network.loss", {"peers": [GATEWAY], "percent": 30, "direction": "out"}, "nftables"),
        ("host.clock_skew", {"offset_s": 86_400}, "date -s"),
        ("host.clock_skew", {"offset_s": -3600}, "date -s"),
        ("host.reboot", {"hard": True}, "sysrq"),
        ("host.reboot", {}, "init"),
    ],
)
def test_it_bites_and_ends(target: SshHost, tmp_path: Path, kind: str, fields: dict[str, Any], mechanism: str) -> None:
    """The mechanism is the kernel's own, the effect is measured, and the machine reads as before."""
    fault = member("faults", kind).model_validate({"target": "vm", "ttl_s": 600, **fields})
    assert isinstance(fault, Fault)
    journal = Journal.create(tmp_path / "journal.jsonl", "vm")
    try:
        with Lifecycle("vm", journal, {"vm": target}) as life:
            plan = life.plan(fault)
            assert mechanism in plan.mechanism
            life.arm(plan)
            life.inject(plan)
            bite = life.attest(plan)
            assert bite.bit, bite.why
            cleans = [life.heal(plan) for _ in range(3)]
    finally:
        journal.close()
    assert all(clean.clean for clean in cleans), [clean.words for clean in cleans]
    assert "Linux" in target.reach()


DISK = """
for module in loop dm-mod dm-flakey dm-delay; do modprobe $module || exit 1; done
truncate -s 64M /tmp/disk.img
loop=$(losetup -f --show /tmp/disk.img)
echo "0 $(blockdev --getsz $loop) linear $loop 0" | dmsetup create scratch
dmsetup mknodes
mke2fs -q -t ext4 -F /dev/mapper/scratch
mkdir -p /srv/scratch
mount -o errors=continue /dev/mapper/scratch /srv/scratch
echo kept > /srv/scratch/.chaosday-scratch
sync
"""
CUT = """
echo 1 > /proc/sys/vm/drop_caches
umount /srv/scratch; dmsetup remove scratch; losetup -D; rmdir /srv/scratch; rm -f /tmp/disk.img
"""


@pytest.fixture
def disk(target: SshHost) -> Iterator[str]:
    """A device-mapper device with a mounted file system that is marked as scratch."""
    shell = target.capability(Shell)
    made = shell.run(DISK, timeout_s=120)
    assert made.code == 0, made.err
    yield "scratch"
    gone = shell.run(CUT, timeout_s=120)
    assert gone.code == 0, gone.err


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("storage.device_delay", {"read_ms": 300, "write_ms": 0}),
        ("storage.device_error", {}),
        ("storage.device_flakey", {}),
    ],
)
def test_a_block_device_is_hurt_and_itself_again(
    target: SshHost, disk: str, tmp_path: Path, kind: str, fields: dict[str, Any]
) -> None:
    """The table is changed under a mounted file system, the effect is read past the cache, and it is put back."""
    fault = member("faults", kind).model_validate({"target": "vm", "ttl_s": 600, "device": disk, **fields})
    assert isinstance(fault, Fault)
    shell = target.capability(Shell)
    before = shell.run(f"dmsetup table {disk}").out
    journal = Journal.create(tmp_path / "journal.jsonl", "vm")
    try:
        with Lifecycle("vm", journal, {"vm": target}) as life:
            plan = life.plan(fault)
            life.arm(plan)
            life.inject(plan)
            assert shell.run(f"dmsetup table {disk}").out.split()[2] == kind.rpartition("_")[2]
            bite = life.attest(plan)
            assert bite.bit, bite.why
            cleans = [life.heal(plan) for _ in range(3)]
    finally:
        journal.close()
    assert all(clean.clean for clean in cleans), [clean.words for clean in cleans]
    assert shell.run(f"dmsetup table {disk}").out == before
    assert shell.run("cat /srv/scratch/.chaosday-scratch; ls -A /srv/scratch").out.split() == [
        "kept",
        ".chaosday-scratch",
        "lost+found",
    ]


def test_a_device_that_is_not_scratch_or_not_plain_is_refused(target: SshHost, disk: str) -> None:
    """Lost writes only under a scratch mark; a table that is not ours to change is left alone; no such device."""
    shell = target.capability(Shell)
    shell.run("rm /srv/scratch/.chaosday-scratch")
    context = PlanContext(run="vm", lease_id="cd-refused-1", seed=1, clock=SystemClock())
    cases: list[tuple[str, type[ChaosdayError], str]] = [
        (disk, ScratchMarkMissing, "touch /srv/scratch/.chaosday-scratch"),
        ("nothing", UsageError, "dmsetup ls"),
    ]
    for device, error, words in cases:
        fault = member("faults", "storage.device_flakey").model_validate({"target": "vm", "device": device})
        assert isinstance(fault, Fault)
        with pytest.raises(error, match=words):
            fault.plan(target, context)


def test_a_cut_of_power_shows_what_was_never_on_the_disk(target: SshHost, disk: str, tmp_path: Path) -> None:
    """What was synced while writes were dropped is gone once the cache is; what was synced before is there."""
    fault = member("faults", "storage.device_flakey").model_validate({"target": "vm", "ttl_s": 600, "device": disk})
    assert isinstance(fault, Fault)
    shell = target.capability(Shell)
    write = "echo %s > /srv/scratch/%s && sync -f /srv/scratch"
    assert shell.run(write % ("early", "one")).code == 0
    with Lifecycle("vm", Journal.create(tmp_path / "journal.jsonl", "vm"), {"vm": target}) as life:
        plan = life.plan(fault)
        life.arm(plan)
        life.inject(plan)
        assert shell.run(write % ("late", "two")).code == 0
        # The state of the disk at this moment is what a machine would find after a cut of power.
        shell.run("cp /tmp/disk.img /tmp/after.img && mkdir -p /srv/after && mount -o loop /tmp/after.img /srv/after")
        found = shell.run("cat /srv/after/one; ls /srv/after/two; umount /srv/after; rm /tmp/after.img")
    assert found.out.split() == ["early"]


def test_a_skewed_clock_comes_back_by_itself(target: SshHost, tmp_path: Path) -> None:
    """The lease's deadline is not on the clock that the fault moves: it fires although a day has been skipped."""
    fault = member("faults", "host.clock_skew").model_validate({"target": "vm", "offset_s": -86_400, "ttl_s": 5})
    assert isinstance(fault, Fault)
    journal = Journal.create(tmp_path / "journal.jsonl", "vm")
    life = Lifecycle("vm", journal, {"vm": target})
    plan = life.plan(fault)
    life.arm(plan)
    life.inject(plan)
    shell = target.capability(Shell)
    note = f"/run/chaosday-{plan.lease.id}.clock"
    script = f"t=0; while [ -e {note} ] && [ $t -lt 300 ]; do sleep 0.2; t=$((t + 1)); done; echo $t"
    assert int(shell.run(script, timeout_s=120).out) < 300
    assert not life.attest(plan).bit
    assert all(clean.clean for clean in life.heal_all())
    journal.close()
