"""A container's main process dies, and everything in it."""

from __future__ import annotations

from typing import Literal

from chaosday.mechanisms.hosts.containers import ContainerEnd
from chaosday.mechanisms.hosts.script_fault import Prepared
from chaosday.model.fault import Bite, FaultPlan, PlanContext
from chaosday.model.target import Shell, Target


class ContainerKill(ContainerEnd):
    """Sends a signal to containers' main process, as a crash or the kernel's memory killer would; heal starts them."""

    kind: Literal["container.kill"] = "container.kill"
    signal: Literal["KILL", "TERM", "ABRT", "SEGV"] = "KILL"

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        return self.ended(shell, context.lease_id, f"kill -s {self.signal}", f"{self.engine} kill -s {self.signal}")

    def look(self, target: Target, plan: FaultPlan) -> Bite | None:
        return None  # dead at once, and its engine may have started it again since
