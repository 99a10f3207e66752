"""What only a whole machine can show: netem, a clock of its own, a reboot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaosday.journal import Journal
from chaosday.lifecycle import Lifecycle
from chaosday.model.fault import Fault
from chaosday.model.target import Shell
from chaosday.registry import member
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
