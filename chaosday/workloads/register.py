"""Register: single values that are written and read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import Field

from chaosday.clients.asking import Asker, run_askers
from chaosday.clients.store_workload import StoreWorkload
from chaosday.model.target import Target
from chaosday.model.workload import Stop


class Register(StoreWorkload):
    """Clients write values, none twice, to a few keys and read them; each reading has one explanation."""

    kind: Literal["register"] = "register"
    key_count: int = Field(default=4, ge=1, le=1000)
    read_share: float = Field(default=0.5, ge=0, le=1)
    """Of the operations of a client that also writes."""

    def run(self, target: Target, directory: Path, stop: Stop, seed: int) -> None:
        run_askers(self.asking(target, directory, seed), stop, self._step_for)

    def _step_for(self, asker: Asker) -> Callable[[Asker], None]:
        value = asker.process

        def step(asker: Asker) -> None:
            nonlocal value
            key = int(asker.rng.integers(self.key_count))
            if asker.reads_only or asker.rng.random() < self.read_share:
                asker.attempt("read", key)
                return
            value += self.clients
            asker.attempt("write", key, value)

        return step
