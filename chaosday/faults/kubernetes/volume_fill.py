"""A volume with less room than there was."""

from __future__ import annotations

import shlex
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import LeaseError
from chaosday.mechanisms.cluster.api import Change, Kube
from chaosday.mechanisms.cluster.fault import PodFault, pods_of
from chaosday.mechanisms.cluster.permissions import Need
from chaosday.model.fault import FaultPlan

NAME = ".chaosday-fill"


class VolumeFill(PodFault):
    """Writes a file of ``fill_mb`` into a directory of pods' first container, and removes it.

    The container needs ``sh``, ``dd``, ``df`` and ``rm``. A pod that is deleted meanwhile takes an
    emptyDir and the file in it along.
    """

    kind: Literal["kubernetes.volume_fill"] = "kubernetes.volume_fill"
    unit: ClassVar[str] = "MB less free"
    by: ClassVar[str] = "df in the container"
    path: str = Field(default="/data", pattern=r"^/[\w./-]*$")
    fill_mb: int = Field(default=64, ge=1, le=1_000_000)

    def needs(self, kube: Kube, things: list[dict[str, Any]]) -> list[Need]:
        listed = Need(verb="list", thing=pods_of(kube))
        return [
            listed,
            Need(verb="create", thing=pods_of(kube), subresource="exec"),
            Need(verb="get", thing=pods_of(kube)),
        ]

    def reverts(self, kube: Kube, things: list[dict[str, Any]]) -> list[Change]:
        command = ["rm", "-f", f"{self.path}/{NAME}"]
        return [
            Change(verb="exec", thing=pods_of(kube, one["name"]), container=one["container"], command=command)
            for one in things
        ]

    def strike(self, kube: Kube, plan: FaultPlan) -> None:
        fill = f"dd if=/dev/zero of={shlex.quote(f'{self.path}/{NAME}')} bs=1048576 count={self.fill_mb}"
        for one in plan.data["things"]:
            code, out = kube.execute(one["name"], ["sh", "-c", fill], container=one["container"], timeout_s=300)
            # A full volume is what was asked for: dd says so and stops.
            if code and "No space" not in out:
                raise LeaseError(f"{one['name']}: {' '.join(out.split())[:160]}")

    def effect(self, kube: Kube, data: dict[str, Any]) -> float:
        sizes = f"cd {shlex.quote(self.path)} && du -k {NAME} 2>/dev/null | cut -f1"
        kilobytes = 0
        for one in data["things"]:
            _, out = kube.execute(one["name"], ["sh", "-c", sizes], container=one["container"])
            kilobytes += int(out.strip() or 0)
        return kilobytes / 1024

    def enough(self, plan: FaultPlan, value: float) -> bool:
        return value > 0

    def state(self, kube: Kube, data: dict[str, Any]) -> dict[str, Any]:
        return super().state(kube, data) | {"filled": self.effect(kube, data) > 0}
