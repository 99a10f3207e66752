"""Unique identifiers: clients claim numbers, and no two may have the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from chaosday.clients.asking import Asker, run_askers
from chaosday.clients.store_workload import StoreWorkload
from chaosday.model.target import Target
from chaosday.model.workload import Stop


class UniqueIds(StoreWorkload):
    """Each client claims the next free identifier, over and over (Jepsen's ``unique-ids``)."""

    kind: Literal["unique-ids"] = "unique-ids"

    def run(self, target: Target, directory: Path, stop: Stop, seed: int) -> None:
        run_askers(self.asking(target, directory, seed), stop, self._step_for)

    def _step_for(self, asker: Asker) -> Callable[[Asker], None]:
        def step(asker: Asker) -> None:
            asker.attempt("generate")

        return step
