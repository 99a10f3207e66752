"""A Workload issues operations at a target while the fault is on, and records the History."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pydantic import Field

from chaosday.model.base import Model
from chaosday.model.target import Target

if TYPE_CHECKING:
    import pyarrow as pa


class Stop(Protocol):
    """Anything that says whether to stop: a ``threading.Event`` does."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...


class Workload(Model):
    """Several clients, each one logical process at a time, until told to stop.

    ``run`` is called in a process of its own; it records every operation crash-safely under
    ``directory`` (see ``chaosday.recorder``). ``read_back`` is called after the settle phase.
    """

    kind: str
    target: str = Field(default="", description="Name of the target it writes to")
    clients: int = Field(default=4, ge=1, le=256)
    rate_per_s: float = Field(default=0, ge=0)
    """Operations a second over all clients; 0 is as fast as it goes."""

    @abstractmethod
    def prepare(self, target: Target) -> None:
        """Make the tables, buckets or queues that it writes to; idempotent."""

    @abstractmethod
    def run(self, target: Target, directory: Path, stop: Stop, seed: int) -> None:
        """Issue operations and record them until ``stop``."""

    @abstractmethod
    def read_back(self, target: Target) -> dict[str, pa.Table]:
        """What the store holds now, by name: the rows that the checks compare with the history."""
