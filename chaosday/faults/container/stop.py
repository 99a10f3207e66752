"""A container is stopped, as a deployment or an operator would."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field

from chaosday.mechanisms.hosts.containers import ContainerEnd
from chaosday.mechanisms.hosts.script_fault import Prepared
from chaosday.model.fault import PlanContext
from chaosday.model.target import Shell


class ContainerStop(ContainerEnd):
    """Stops containers: SIGTERM, and SIGKILL after ``grace_s``; heal starts them."""

    kind: Literal["container.stop"] = "container.stop"
    inject_timeout_s: ClassVar[float] = 700
    grace_s: float = Field(default=10, ge=0, le=600)

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        grace_s = math.ceil(self.grace_s)
        return self.ended(shell, context.lease_id, f"stop -t {grace_s}", f"{self.engine} stop, {grace_s} s of grace")
