"""A Workload issues operations at a target while the fault is on, and records the History."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

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
    ``directory`` (see ``chaosday.record.recorder``). ``read_back`` is called after the settle phase.
    """

    kind: str
    target: str = Field(default="", description="Name of the target it writes to")
    clients: int = Field(default=4, ge=1, le=256)
    rate_per_s: float = Field(default=0, ge=0)
    """Operations a second over all clients; 0 is as fast as it goes."""

    replicas: list[str] = []
    """Names of targets that should hold the same rows in the end."""
    scope: str = Field(default="demo", pattern=r"^[a-z0-9_]{1,40}$")
    """Suffix of what it makes in the store, so that runs do not share a table; set by the run."""

    @abstractmethod
    def prepare(self, target: Target) -> None:
        """Make the tables, buckets or queues that it writes to; idempotent."""

    @abstractmethod
    def run(self, target: Target, directory: Path, stop: Stop, seed: int) -> None:
        """Issue operations and record them until ``stop``."""

    @abstractmethod
    def read_back(self, target: Target, replicas: Mapping[str, Target]) -> dict[str, pa.Table]:
        """What the store and each replica hold now, by name: the rows that the checks compare.

        The target's rows are called ``store``; a replica's ``STORE.REPLICA``. A replica is read once
        it has caught up with the target; ``TargetUnreachable`` where it does not.
        """

    def facts(self) -> dict[str, Any]:
        """What the checks have to know beside history and rows, as observations by name."""
        return {}

    @abstractmethod
    def clean_up(self, target: Target) -> None:
        """Take away what ``prepare`` made; any number of times."""
