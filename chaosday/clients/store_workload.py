"""What the workloads on a Store have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from chaosday.clients.asking import Asking
from chaosday.model.store import Store
from chaosday.model.target import Target
from chaosday.model.workload import Workload

if TYPE_CHECKING:
    import pyarrow as pa

Option = str | int | float | bool | list[str | int]


class StoreWorkload(Workload):
    """Clients of a store; ``options`` go to its sessions (an isolation level, how a write is to be acknowledged)."""

    operation_timeout_s: float = Field(default=2, gt=0)
    options: dict[str, Option] = {}
    """What its sessions are told; of a list each client is told one, in turn."""
    readers: int = Field(default=0, ge=0, le=255)
    """How many of the clients only read."""
    elsewhere: dict[str, Option] = {}
    """Options of those readers that are different: another server, a weaker read."""

    def prepare(self, target: Target) -> None:
        target.capability(Store).make(self.space, self.options)

    def read_back(self, target: Target, replicas: Mapping[str, Target]) -> dict[str, pa.Table]:
        return {}

    def clean_up(self, target: Target) -> None:
        target.capability(Store).drop(self.space)

    @property
    def space(self) -> str:
        """What keeps this run's data apart from others'."""
        return f"{self.kind.replace('-', '_')}_{self.scope}"

    def asking(self, target: Target, directory: Path, seed: int) -> Asking:
        """How its clients ask."""
        return Asking(
            store=target.capability(Store),
            space=self.space,
            directory=directory,
            clients=self.clients,
            rate_per_s=self.rate_per_s,
            timeout_s=self.operation_timeout_s,
            seed=seed,
            options=self.options,
            elsewhere=self.elsewhere,
            readers=self.readers,
        )
