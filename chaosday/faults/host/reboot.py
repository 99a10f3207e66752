"""A host is started anew."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Literal

from pydantic import Field

from chaosday.errors import AccessDenied, CapabilityMissing, TargetUnreachable
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import ask
from chaosday.model.fault import Bite, FaultPlan, PlanContext, Reading
from chaosday.model.target import Shell, Target

CAP_SYS_BOOT = 22
BOOT = "cat /proc/sys/kernel/random/boot_id"


class HostReboot(ScriptFault):
    """Reboot: orderly through the init system, or at once without writing anything to disk (``hard``).

    There is nothing to undo: the lease only records that it happened. The bite is another boot id, waited
    for up to ``back_within_s``.
    """

    ends_its_lease = True
    kind: Literal["host.reboot"] = "host.reboot"
    hard: bool = False
    back_within_s: float = Field(default=300, gt=0, le=3600)

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        asked = {
            "capabilities": "sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status",
            "sysrq": "[ -w /proc/sysrq-trigger ] && echo yes",
            "command": "command -v systemctl || command -v reboot",
            "boot": BOOT,
        }
        found = ask(shell, asked)
        if not int(found["capabilities"] or "0", 16) >> CAP_SYS_BOOT & 1:
            raise CapabilityMissing(
                "the target may not reboot (no CAP_SYS_BOOT): it is a container; hurt its host instead"
            )
        if self.hard and found["sysrq"] != "yes":
            raise CapabilityMissing(
                "a hard reboot needs /proc/sysrq-trigger, which this kernel does not have; use hard=false"
            )
        if not found["command"]:
            raise CapabilityMissing("the target has neither systemctl nor reboot; install: apt install systemd-sysv")
        now = (
            "echo 1 > /proc/sys/kernel/sysrq; echo b > /proc/sysrq-trigger"
            if self.hard
            else "systemctl reboot || reboot"
        )
        means = Means(
            mechanism="sysrq" if self.hard else "init",
            # A second later, so that the answer to this very command still gets out.
            inject=f"setsid sh -c 'sleep 1; {now}' </dev/null >/dev/null 2>&1 &\n",
            undo=":\n",
            residue=":\n",
        )
        return Prepared(means, {"boot": found["boot"]}, {"boot": BOOT}, lasting={"boot": "the host was started anew"})

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        since = time.monotonic()
        while True:
            changed = 0
            # Unreachable: it is down. Denied: its sshd is not ready yet. Only the boot id counts.
            with contextlib.suppress(TargetUnreachable, AccessDenied):
                changed = int(shell.run(BOOT, timeout_s=10).out.strip() not in ("", data["boot"]))
            waited = time.monotonic() - since
            if changed or not hurt or waited > self.back_within_s:
                return Reading(value=changed, unit=f"reboots ({waited:.0f} s waited)", by="the kernel's boot id")
            time.sleep(0.5)

    def look(self, target: Target, plan: FaultPlan) -> Bite | None:
        return None  # it is over once the host is back

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        return during.value > baseline.value, f"{during.value:g} {during.unit}"
